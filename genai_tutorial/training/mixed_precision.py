"""Mixed precision: matrix products in 16 bits, weights and optimizer state in 32."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


def in_bfloat16(loss_fn: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return a loss function whose matrix products are computed in bfloat16 (autocast).

    bfloat16 has the range of float32 and about three digits. The parameters, and so
    their gradients and the optimizer's state, stay in float32.
    """

    def loss_in_bfloat16(model: nn.Module, *batch: Tensor) -> Tensor:
        with torch.autocast(batch[0].device.type, torch.bfloat16):
            return loss_fn(model, *batch)

    return loss_in_bfloat16
