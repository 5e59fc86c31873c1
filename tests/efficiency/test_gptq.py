"""GPTQ equals rounding for uncorrelated inputs, beats it for correlated ones, and
rounds each weight after the corrections for all earlier ones.
"""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.efficiency import gptq_quantize, output_error, quantize_affine
from genai_tutorial.efficiency.calibration import input_hessian


def problem(rows, columns, seed, rank=None):
    """Return a random matrix and the Hessian of inputs that vary in few directions."""
    generator = torch.Generator().manual_seed(seed)
    rank = max(1, columns // 4) if rank is None else rank
    mixing = torch.randn(rank, columns, generator=generator)
    inputs = torch.randn(8 * columns, rank, generator=generator) @ mixing
    inputs += 0.3 * torch.randn(inputs.shape, generator=generator)
    return torch.randn(rows, columns, generator=generator), input_hessian(inputs)


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@settings(max_examples=20)
@given(
    rows=st.integers(1, 5),
    groups=st.integers(1, 3),
    group_size=st.sampled_from([1, 4, 10]),
    scale=st.floats(0.01, 100),
    seed=st.integers(0, 2**31),
)
def test_gptq_with_diagonal_hessian_is_rounding(
    bits, rows, groups, group_size, scale, seed
):
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(rows, groups * group_size, generator=generator)
    variances = scale * torch.rand(weight.shape[1], generator=generator) + 0.01
    found = gptq_quantize(weight, variances.diag(), bits, group_size)
    plain = quantize_affine(weight, bits, group_size)
    for name in ("levels", "scale", "offset"):
        assert torch.equal(getattr(found, name), getattr(plain, name))


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize("group_size", [8, 32, 64])
def test_gptq_error_is_below_roundings(bits, group_size):
    """Rounding's error is 4 to 9 times as large in each of these 20 problems.

    No theorem says so: 11 of the 7,680 rows have a larger error than rounding's, and
    with uncorrelated inputs, 3 of 50 matrices of 4 x 16 weights.
    """
    for seed in range(20):
        weight, hessian = problem(32, 64, seed)
        errors = [
            output_error(weight, matrix.dequantize(), hessian)
            for matrix in (
                gptq_quantize(weight, hessian, bits, group_size),
                quantize_affine(weight, bits, group_size),
            )
        ]
        assert errors[0] < 0.4 * errors[1], (seed, errors)


def residuals_in_steps(weight, hessian, matrix):
    """Return what was left of each weight when it was rounded, in steps: with U the
    factor of the damped Hessian's inverse and E the divided errors, W - Q = E U.
    """
    columns = weight.shape[1]
    damped = hessian + 0.01 * hessian.diagonal().mean() * torch.eye(columns)
    factor = torch.linalg.cholesky(torch.linalg.inv(damped.double()), upper=True)
    change = (weight - matrix.dequantize()).double()
    divided = torch.linalg.solve_triangular(factor, change, upper=True, left=False)
    return divided * factor.diagonal() / matrix.scale.double()


@settings(max_examples=30)
@given(
    rows=st.integers(1, 6),
    columns=st.integers(2, 24),
    bits=st.sampled_from([3, 4, 8]),
    seed=st.integers(0, 2**31),
)
def test_gptq_rounds_each_weight_after_compensation(rows, columns, bits, seed):
    """What is left of a weight is at most half a step, unless its level is the first or
    the last one and may have been clamped.
    """
    weight, hessian = problem(rows, columns, seed)
    matrix = gptq_quantize(weight, hessian, bits, columns)
    left = residuals_in_steps(weight, hessian, matrix)
    inside = (matrix.levels > 0) & (matrix.levels < 2**bits - 1)
    assert (left[inside].abs() < 0.501).all()


def test_gptq_residuals_tell_it_from_rounding():
    weight, hessian = problem(6, 24, seed=0)
    matrix = quantize_affine(weight, 4, 24)
    left = residuals_in_steps(weight, hessian, matrix)
    inside = (matrix.levels > 0) & (matrix.levels < 15)
    assert inside.sum() > 100
    assert (left[inside].abs() > 0.6).float().mean() > 0.1


def test_gptq_compensates_in_the_other_weight():
    # Two inputs that are always equal: only the sum of the weights matters.
    hessian = torch.ones(2, 2)
    weight = torch.tensor([[0.4, 0.4, 0.0, 1.0]])
    hessian = torch.block_diag(hessian, torch.eye(2))
    plain = quantize_affine(weight, 2, 4).dequantize()
    found = gptq_quantize(weight, hessian, 2, 4, damping=1e-4).dequantize()
    torch.testing.assert_close(plain, torch.tensor([[1 / 3, 1 / 3, 0.0, 1.0]]))
    torch.testing.assert_close(found, torch.tensor([[1 / 3, 1 / 3, 0.0, 1.0]]))
    weight = torch.tensor([[0.48, 0.48, 0.0, 1.0]])
    found = gptq_quantize(weight, hessian, 2, 4, damping=1e-4).dequantize()
    plain = quantize_affine(weight, 2, 4).dequantize()
    assert found[0, :2].sum() == pytest.approx(1.0)  # 1/3 + 2/3
    assert plain[0, :2].sum() == pytest.approx(2 / 3)  # 0.96 was meant


def test_gptq_chooses_last_groups_scale_after_compensation():
    weight, hessian = problem(4, 12, seed=1)
    found = gptq_quantize(weight, hessian, 3, 4)
    plain = quantize_affine(weight, 3, 4)
    assert found.levels.shape == weight.shape
    assert found.scale.shape == plain.scale.shape == (4, 3)
    assert torch.equal(found.scale[:, 0], plain.scale[:, 0])
    assert not torch.equal(found.scale[:, 2], plain.scale[:, 2])
    assert found.levels.min() >= 0
    assert found.levels.max() <= 7


def test_gptq_leaves_its_arguments_unchanged():
    weight, hessian = problem(3, 8, seed=0)
    before = weight.clone(), hessian.clone()
    gptq_quantize(weight, hessian, 4, 4)
    assert torch.equal(weight, before[0])
    assert torch.equal(hessian, before[1])


def test_gptq_accepts_dead_inputs():
    weight, hessian = problem(3, 8, seed=0)
    hessian[2], hessian[:, 2] = 0.0, 0.0
    assert gptq_quantize(weight, hessian, 4, 8).dequantize().isfinite().all()


def test_output_error_is_the_mean_over_the_inputs():
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(50, 6, generator=generator)
    weight, other = torch.randn(2, 3, 6, generator=generator)
    expected = (inputs @ (weight - other).T).square().sum(dim=1).mean()
    assert output_error(weight, other, input_hessian(inputs)) == pytest.approx(
        float(expected), rel=1e-5
    )


@pytest.mark.parametrize(
    ("hessian", "bits", "damping", "said"),
    [
        (torch.full((4, 4), torch.nan), 4, 0.01, "The Hessian of 4 inputs"),
        (torch.zeros(4, 4), 4, 0.01, "cannot be inverted with damping=0.01"),
        (torch.ones(4, 4), 4, 0.0, "cannot be inverted with damping=0"),
        (torch.eye(4), 4, -1.0, "damping must not be negative"),
        (torch.eye(4), 1, 0.01, "bits must be from 2 to 8"),
    ],
)
def test_gptq_rejects_invalid_arguments(hessian, bits, damping, said):
    with pytest.raises(ValueError, match=said):
        gptq_quantize(torch.rand(2, 4), hessian, bits, 2, damping)


def test_gptq_rejects_groups_that_do_not_divide():
    with pytest.raises(ValueError, match="group_size must divide"):
        gptq_quantize(torch.rand(2, 4), torch.eye(4), 4, 3)
