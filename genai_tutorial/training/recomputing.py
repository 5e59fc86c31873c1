"""Recomputing: what a layer has worked out on the way forward is thrown away, and
worked out again on the way back.

Training keeps what every layer computes, because backward needs it: memory that grows
with the batch, the length and the depth. Keeping only what goes into each block, and
running the block a second time when backward arrives, costs about a third more
arithmetic and leaves one block's worth of memory.
"""

from collections.abc import Callable, Iterable
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


def recompute(blocks: Iterable[nn.Module]) -> None:
    """Make each block keep only its inputs for backward (activation checkpointing).

    Losses and gradients stay the same to the last bit; dropout draws the same numbers
    the second time.

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
    """Return how many bytes autograd keeps for backward while `loss` is computed; each
    tensor counts once.

    What stands in one place under several names counts once; weights count too.
    """
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss()
    return sum(kept.values())
