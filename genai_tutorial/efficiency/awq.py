"""AWQ: weights that multiply large activations matter most, so give them finer steps.

Multiply a column by s > 1 before rounding and divide its input by s: if the group's
scale does not change, the column's rounding error shrinks by a factor of s. If s is so
large that the group's scale grows, the other columns pay for it.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from .gptq import output_error
from .quantization import quantize_affine

SMALLEST = 1e-4  # of the magnitudes, relative to their mean


def activation_aware_scales(
    weight: Float[Tensor, "out in"],
    magnitudes: Float[Tensor, "in"],
    hessian: Float[Tensor, "in in"],
    bits: int,
    group_size: int,
    steps: int = 20,
) -> Float[Tensor, "in"]:
    """Return the factors of the columns, powers of the inputs' magnitudes, with which
    rounding changes the layer's output least.

    Source: Lin et al., AWQ, section 3.2, equations 4 and 5,
        https://arxiv.org/abs/2306.00978
    """
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}.")
    if not magnitudes.isfinite().all() or not (magnitudes >= 0).all():
        raise ValueError(
            "magnitudes must be finite and not negative, got values from "
            f"{float(magnitudes.min())} to {float(magnitudes.max())}."
        )
    relative = (magnitudes / magnitudes.mean()).nan_to_num(1.0).clamp(min=SMALLEST)
    best, least = torch.ones_like(magnitudes), float("inf")
    for step in range(steps):
        scales = relative ** (step / steps)
        scales = scales / (scales.max() * scales.min()).sqrt()
        rounded = quantize_affine(weight * scales, bits, group_size).dequantize()
        error = output_error(weight, rounded / scales, hessian)
        if error < least:
            best, least = scales, error
    return best
