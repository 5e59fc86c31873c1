"""The roofline against counts by hand, its two limits, and measured figures."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genai_tutorial.efficiency import (
    MACHINES,
    Machine,
    arithmetic_intensity,
    attainable_rate,
    bytes_per_token,
    count,
    flops_per_token,
    memory_bandwidth,
    peak_flops,
)
from genai_tutorial.efficiency.model_sizes import MIXTRAL_8X7B, SMOLLM2_135M
from genai_tutorial.transformer import DecoderConfig

SMALL = DecoderConfig.llama(100, 64, 32, 2, 4, 2, 64)


def test_bytes_per_token_by_hand():
    """Both layers' matrices, the output layer, and ten positions of two heads with
    eight features, each with a key and a value.
    """
    layer = 32 * 32 + 2 * 32 * 16 + 32 * 32 + 3 * 32 * 64
    weights = 2 * layer + 100 * 32
    cached = 2 * 10 * 2 * (2 * 8)
    assert bytes_per_token(SMALL, bits=16, context=10) == 2 * weights + 2 * cached
    assert bytes_per_token(SMALL, bits=4, context=10, batch_size=8, cache_bits=8) == (
        weights / 2 / 8 + cached
    )


def test_bytes_per_token_of_a_tied_model_reads_the_table_once():
    assert bytes_per_token(SMOLLM2_135M, bits=8, cache_bits=0) == pytest.approx(
        count(SMOLLM2_135M).parameters, rel=1e-3
    )


def test_bytes_per_token_of_a_mixture_reads_more_experts_for_more_rows():
    """One row reads two of eight experts, four rows or more all eight."""

    def step(rows):
        return rows * bytes_per_token(MIXTRAL_8X7B, batch_size=rows, cache_bits=0)

    whole = 2 * (count(MIXTRAL_8X7B).parameters - 32_000 * 4096)
    assert step(1) < 0.3 * whole
    assert step(4) == pytest.approx(whole, rel=1e-4)
    assert step(64) == step(4)


@given(st.floats(1e9, 1e13), st.floats(1e9, 1e15), st.floats(1e-3, 1e4))
def test_roof_is_the_lower_of_both_limits(bandwidth, flops, intensity):
    machine = Machine("any", bandwidth, flops)
    roof = machine.attainable_flops(intensity)
    assert roof <= flops
    assert roof <= bandwidth * intensity
    assert roof == pytest.approx(
        flops if intensity > machine.ridge else bandwidth * intensity
    )


def test_rate_grows_with_the_batch_until_the_arithmetic_is_the_limit():
    """With no context to speak of, the limit is the peak over the FLOPs of a token."""
    machine = MACHINES["laptop"]
    rates = [attainable_rate(machine, SMOLLM2_135M, batch_size=2**n) for n in range(12)]
    assert rates[1] == pytest.approx(2 * rates[0], rel=0.01)
    assert rates[-1] == pytest.approx(machine.flops / flops_per_token(SMOLLM2_135M))
    assert rates == sorted(rates)


def test_long_context_limits_what_a_batch_can_gain():
    """At 8,192 positions the cache outweighs the weights: SmolLM2 stays far below the
    laptop's ridge however many rows share a step.
    """
    short = arithmetic_intensity(SMOLLM2_135M, context=1, batch_size=4096)
    long = arithmetic_intensity(SMOLLM2_135M, context=8192, batch_size=4096)
    assert short > MACHINES["laptop"].ridge
    assert long < 10 < MACHINES["laptop"].ridge


@pytest.mark.slow
def test_measured_figures_are_plausible():
    """No machine that runs this book reads below 0.1 or above 10,000 GB/s."""
    assert 1e8 < memory_bandwidth(repeats=1) < 1e13
    assert 1e8 < peak_flops() < 1e16


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: Machine("none", 0, 1), "must be positive"),
        (lambda: bytes_per_token(SMALL, batch_size=0), "batch_size must be at least 1"),
        (lambda: bytes_per_token(SMALL, context=0), "positions must be at least 1"),
    ],
)
def test_roofline_rejects_invalid_arguments(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()
