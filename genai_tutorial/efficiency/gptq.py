"""GPTQ: round a matrix column by column, and let the columns that are still in full
precision make up for each rounding error.

Rounding minimizes the error of each weight. What matters is the error of the layer's
output. If two inputs usually rise and fall together, a weight that was rounded up can
be compensated by lowering the other's weight. How inputs vary together is in the
Hessian of the squared output error.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.efficiency.quantization import QuantizedMatrix, quantize_affine


def input_hessian(inputs: Float[Tensor, "n in"]) -> Float[Tensor, "in in"]:
    r"""Return the mean of $x x^\top$ over a layer's inputs: up to a factor of 2, the
    Hessian of the mean squared output error with respect to each row of weights.

    >>> input_hessian(torch.tensor([[1.0, 2.0], [1.0, 0.0]]))
    tensor([[1., 1.],
            [1., 2.]])
    """
    return inputs.T @ inputs / len(inputs)


def output_error(
    weight: Float[Tensor, "out in"],
    rounded: Float[Tensor, "out in"],
    hessian: Float[Tensor, "in in"],
) -> float:
    r"""Return the mean squared error of a layer's output vector, if one matrix replaces
    another: the trace of $(W - \hat W) H (W - \hat W)^\top$.

    Args:
        weight: The exact matrix.
        rounded: Its replacement.
        hessian: The mean of x xᵀ, see `input_hessian`.
    """
    change = (weight - rounded).double()
    return float((change @ hessian.double() * change).sum())


def gptq_quantize(
    weight: Float[Tensor, "out in"],
    hessian: Float[Tensor, "in in"],
    bits: int,
    group_size: int,
    damping: float = 0.01,
) -> QuantizedMatrix:
    r"""Quantize a matrix so that the layer's output changes little on its usual inputs.

    With U the upper Cholesky factor of the inverse Hessian ($H^{-1} = U^\top U$), each
    column q of the weights is rounded, its error is divided by $U_{qq}$, and $U_{qj}$
    times that is subtracted from each later column j. So the output error is the sum of
    the squares of these divided errors. Levels, scales and offsets are those of
    `quantize_affine`, chosen when a group's first column is reached.

    With a diagonal Hessian the result is `quantize_affine`'s. The error is usually, but
    not always, smaller than rounding's: each column is rounded without knowing what the
    later ones will need.

    Args:
        weight: The matrix of a linear layer.
        hessian: The mean of x xᵀ over the layer's inputs, see `input_hessian`.
        bits: From 2 to 8.
        group_size: The number of neighbouring weights in a row that share a scale; must
            divide the number of columns.
        damping: Added to the Hessian's diagonal, as a fraction of its mean, so that it
            can be inverted.

    Raises:
        ValueError: If an argument is out of range, the Hessian does not fit the matrix
            or is not finite, or damping does not make it invertible.

    Source: Frantar et al., GPTQ, algorithm 1, https://arxiv.org/abs/2210.17323

    >>> weight, hessian = torch.rand(4, 8), torch.eye(8)
    >>> plain = quantize_affine(weight, bits=3, group_size=8)
    >>> torch.equal(gptq_quantize(weight, hessian, 3, 8).levels, plain.levels)
    True
    """
    factor = _inverse_factor(weight, hessian, damping).to(weight)
    rest = weight.detach().clone()  # what is left to round, with the corrections
    levels, scales, offsets = [], [], []
    for start in range(0, weight.shape[1], group_size):
        group = quantize_affine(rest[:, start : start + group_size], bits, group_size)
        scale, offset = group.scale[:, 0], group.offset[:, 0]
        for column in range(start, start + group_size):
            exact = rest[:, column]
            level = ((exact - offset) / scale).round().clamp(0, 2**bits - 1)
            error = (exact - level * scale - offset) / factor[column, column]
            rest[:, column + 1 :] -= torch.outer(error, factor[column, column + 1 :])
            levels.append(level)
        scales.append(scale)
        offsets.append(offset)
    return QuantizedMatrix(
        *(torch.stack(one, dim=1) for one in (levels, scales, offsets)), bits
    )


def _inverse_factor(
    weight: Tensor, hessian: Tensor, damping: float
) -> Float[Tensor, "in in"]:
    """Return the upper Cholesky factor of the damped Hessian's inverse, in float64."""
    columns = weight.shape[1]
    if hessian.shape != (columns, columns) or not hessian.isfinite().all():
        raise ValueError(
            f"The Hessian of {columns} inputs is a finite {columns} x {columns} matrix;"
            f" got shape {tuple(hessian.shape)}."
        )
    if damping < 0:
        raise ValueError(f"damping must not be negative, got {damping}.")
    hessian = hessian.double()
    diagonal = (
        damping * hessian.diagonal().mean() * torch.ones(columns, device=hessian.device)
    )
    lower, failed = torch.linalg.cholesky_ex(hessian + diagonal.to(hessian).diag())
    if failed:
        raise ValueError(
            f"The Hessian cannot be inverted with damping={damping}: take more inputs "
            f"than the layer has features ({columns}), or more damping."
        )
    return torch.linalg.cholesky(torch.cholesky_inverse(lower), upper=True)
