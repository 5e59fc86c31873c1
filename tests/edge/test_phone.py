"""The phone's arithmetic against the figures of its source."""

import pytest

from genai_tutorial.edge import phone_budget
from genai_tutorial.efficiency import MACHINES, attainable_rate, count
from genai_tutorial.efficiency.model_sizes import SMOLLM2_135M
from genai_tutorial.transformer import DecoderConfig

LLAMA_7B = DecoderConfig.llama(32_000, 4096, 4096, 32, 32, None, 11_008)


def test_phone_budget_gives_the_papers_figures_for_seven_billion_weights():
    """MobileLLM, section 1: 0.7 J per token, about two hours at 10 tokens per second,
    and too large in 8 bits.
    """
    budget = phone_budget(LLAMA_7B, bits=8)
    assert budget.joules_per_token == pytest.approx(0.7, rel=0.05)
    assert budget.hours_per_charge(10) == pytest.approx(2, abs=0.1)
    assert not budget.fits


def test_phone_budget_scales_with_bits():
    half, whole = phone_budget(LLAMA_7B, 4), phone_budget(LLAMA_7B, 8)
    assert whole.weight_bytes == 2 * half.weight_bytes == count(LLAMA_7B).parameters
    assert half.tokens_per_second > 1.9 * whole.tokens_per_second
    assert whole.tokens_per_second == attainable_rate(MACHINES["phone"], LLAMA_7B, 8)
    assert not half.fits
    assert phone_budget(SMOLLM2_135M, 8).fits


def test_phone_budget_checks_its_arguments():
    with pytest.raises(ValueError, match="bits"):
        phone_budget(LLAMA_7B, 0)
    with pytest.raises(ValueError, match="tokens_per_second"):
        phone_budget(LLAMA_7B, 8).hours_per_charge(0)
