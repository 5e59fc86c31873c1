"""Training what does not fit into memory: bfloat16, recomputed activations, and models
that are split over several processes.
"""

from collections.abc import Callable, Iterable
from functools import partial

import torch
from torch import Tensor, distributed, nn
from torch.utils.checkpoint import checkpoint

from .distributed import several_processes


def in_bfloat16(loss_fn: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return a loss function whose matrix products are computed in bfloat16 (autocast).

    bfloat16 has the range of float32 and about three digits. The parameters, and so
    their gradients and the optimizer's state, stay in float32.
    """

    def loss_in_bfloat16(model: nn.Module, *batch: Tensor) -> Tensor:
        with torch.autocast(batch[0].device.type, torch.bfloat16):
            return loss_fn(model, *batch)

    return loss_in_bfloat16


def recompute(blocks: Iterable[nn.Module]) -> None:
    """Make each block store only its inputs for the backward pass, and compute its
    activations again when they are needed (activation checkpointing).

    This costs about a third more arithmetic and leaves the activations of one block at
    a time. Losses and gradients stay the same to the last bit; dropout draws the same
    numbers in both passes.

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


def shard(model: nn.Module, parts: Iterable[nn.Module] = ()) -> nn.Module:
    """Shard a model's weights, gradients and optimizer states over all processes.

    Each process keeps its shard of every tensor. A part is gathered when the forward or
    backward pass needs it, and freed afterwards; gradients are averaged as with
    `parallel`. With a single process, the model is unchanged.

    Args:
        model: The model; it is changed in place and returned. Build the optimizer
            afterwards.
        parts: Modules whose weights are gathered together, usually the model's blocks.
            All other weights are gathered at the start and kept.

    Source: Zhao et al., PyTorch FSDP, https://arxiv.org/abs/2304.11277; here by
        `torch.distributed.fsdp.fully_shard`
    """
    if several_processes():
        # these take a second to import
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        device = next(model.parameters()).device
        mesh = init_device_mesh(device.type, (distributed.get_world_size(),))
        for part in parts:
            fully_shard(part, mesh=mesh)
        fully_shard(model, mesh=mesh)
    return model
