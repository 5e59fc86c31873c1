"""Activation checkpointing: discard activations in the forward pass and recompute them
in the backward pass.

Training stores the activations of every layer for the backward pass, so memory grows
with batch size, sequence length and depth. Storing only each block's input, and running
the block again in the backward pass, costs about a third more arithmetic and leaves the
activations of one block at a time.
"""

from collections.abc import Callable, Iterable
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


def recompute(blocks: Iterable[nn.Module]) -> None:
    """Make each block store only its inputs for the backward pass.

    Source: Chen et al., Training Deep Nets with Sublinear Memory Cost,
        https://arxiv.org/abs/1604.06174
    """
    for block in blocks:
        block.forward = partial(checkpoint, block.forward, use_reentrant=False)


def kept_bytes(loss: Callable[[], Tensor]) -> int:
    """Return the number of bytes that autograd stores for the backward pass while
    `loss` is computed.
    """
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss()
    return sum(kept.values())
