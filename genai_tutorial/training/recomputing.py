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

    Losses and gradients stay the same to the last bit; dropout draws the same numbers
    in both passes.

    Args:
        blocks: The layers, for example `model.blocks` of a `DecoderLM`; they are
            changed in place.

    Source: Chen et al., Training Deep Nets with Sublinear Memory Cost,
    https://arxiv.org/abs/1604.06174

    >>> block = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 8))
    >>> x = torch.ones(100, 8)
    >>> before = kept_bytes(lambda: block(x).sum())
    >>> recompute([block])
    >>> before, kept_bytes(lambda: block(x).sum())
    (17024, 3200)
    """
    for block in blocks:
        block.forward = partial(checkpoint, block.forward, use_reentrant=False)


def kept_bytes(loss: Callable[[], Tensor]) -> int:
    """Return the number of bytes that autograd stores for the backward pass while
    `loss` is computed.

    Tensors that share memory count once; weights count too.
    """
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss()
    return sum(kept.values())
