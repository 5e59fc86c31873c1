"""Gradient accumulation: a training step on a batch that is too large for memory."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from .distributed import no_sync
from .optimizers import CombinedOptimizer, clip_gradients
from .train_step import finite_loss


def accumulated_train_step(
    model: nn.Module,
    batch: Sequence[Tensor],
    loss_fn: Callable[..., Tensor],
    optimizer: torch.optim.Optimizer | CombinedOptimizer,
    clip_norm: float | None = 1.0,
    *,
    accumulation_steps: int,
) -> float:
    """Compute the same update as `train_step`, one micro-batch at a time."""
    optimizer.zero_grad()
    losses = []
    for micro_batch, is_last in _micro_batches(batch, accumulation_steps):
        with nullcontext() if is_last else no_sync(model):
            loss = loss_fn(model, *micro_batch) / accumulation_steps
            loss.backward()  # adds to the gradients of the previous micro-batches
        losses.append(loss.detach())
    value = finite_loss(torch.stack(losses).sum())
    if clip_norm is not None:
        clip_gradients(model.parameters(), clip_norm)
    optimizer.step()
    return value


def _micro_batches(
    batch: Sequence[Tensor], accumulation_steps: int
) -> Iterator[tuple[Sequence[Tensor], bool]]:
    """Yield each micro-batch of a batch, and whether it is the last."""
    if any(len(tensor) % accumulation_steps for tensor in batch):
        raise ValueError(
            f"accumulation_steps must divide the batch; got {accumulation_steps=}, a "
            f"batch of {[len(tensor) for tensor in batch]}."
        )
    chunks = (tensor.chunk(accumulation_steps) for tensor in batch)
    for number, micro_batch in enumerate(zip(*chunks, strict=True), start=1):
        yield micro_batch, number == accumulation_steps
