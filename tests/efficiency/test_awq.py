"""AWQ never does worse than rounding on its calibration inputs, and protects the
weights of large inputs.
"""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.efficiency import output_error, quantize_affine
from genai_tutorial.efficiency.calibration import activation_aware_scales, input_hessian


def problem(rows, columns, seed):
    """Return a random matrix and inputs of very different sizes."""
    generator = torch.Generator().manual_seed(seed)
    sizes = torch.randn(columns, generator=generator).exp()
    inputs = torch.randn(4 * columns, columns, generator=generator) * sizes
    return torch.randn(rows, columns, generator=generator), inputs


def errors_of(weight, inputs, bits, group_size, steps=20):
    """Return the output error with the scales, and that of plain rounding."""
    hessian = input_hessian(inputs)
    magnitudes = inputs.abs().mean(dim=0)
    scales = activation_aware_scales(
        weight, magnitudes, hessian, bits, group_size, steps
    )
    scaled = quantize_affine(weight * scales, bits, group_size).dequantize() / scales
    plain = quantize_affine(weight, bits, group_size).dequantize()
    return output_error(weight, scaled, hessian), output_error(weight, plain, hessian)


@settings(max_examples=30)
@given(
    rows=st.integers(1, 8),
    groups=st.integers(1, 3),
    bits=st.sampled_from([2, 3, 4, 8]),
    seed=st.integers(0, 2**31),
)
def test_awq_error_is_never_above_roundings(rows, groups, bits, seed):
    weight, inputs = problem(rows, 8 * groups, seed)
    found, plain = errors_of(weight, inputs, bits, 8)
    assert found <= plain * (1 + 1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_awq_protects_the_weights_of_a_large_input(seed):
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(16, 32, generator=generator)
    inputs = torch.randn(200, 32, generator=generator)
    inputs[:, 5] *= 50
    found, plain = errors_of(weight, inputs, 3, 32)
    assert found < 0.15 * plain  # 0.036 to 0.060 measured


def test_awq_with_one_step_is_rounding():
    weight, inputs = problem(4, 8, seed=0)
    found, plain = errors_of(weight, inputs, 4, 8, steps=1)
    assert found == plain


def test_awq_scales_of_dead_inputs_are_finite():
    weight = torch.rand(2, 4)
    for magnitudes in (torch.zeros(4), torch.tensor([0.0, 1.0, 2.0, 1e6])):
        scales = activation_aware_scales(weight, magnitudes, torch.eye(4), 4, 4)
        assert scales.isfinite().all()
        assert (scales > 0).all()


@pytest.mark.parametrize(
    ("magnitudes", "steps", "said"),
    [
        (torch.ones(4), 0, "steps must be at least 1"),
        (-torch.ones(4), 20, "finite and not negative"),
        (torch.full((4,), torch.inf), 20, "finite and not negative"),
    ],
)
def test_awq_rejects_invalid_arguments(magnitudes, steps, said):
    with pytest.raises(ValueError, match=said):
        activation_aware_scales(torch.rand(2, 4), magnitudes, torch.eye(4), 4, 4, steps)
