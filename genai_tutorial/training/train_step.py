"""One training step: forward pass, backward pass, gradient clipping, optimizer step."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from .distributed import mean_over_processes
from .optimizers import CombinedOptimizer, clip_gradients


def train_step(
    model: nn.Module,
    batch: Sequence[Tensor],
    loss_fn: Callable[..., Tensor],
    optimizer: torch.optim.Optimizer | CombinedOptimizer,
    clip_norm: float | None = 1.0,
) -> float:
    """Update a model's parameters once and return the loss from before the update.

    Args:
        model: The model to train, on the device of the batch.
        batch: One batch: a tuple of tensors.
        loss_fn: Called as `loss_fn(model, *batch)`; returns the loss as a tensor with
            one number.
        optimizer: Updates the model's parameters.
        clip_norm: Maximum norm of the gradient; None for no limit.

    Raises:
        FloatingPointError: If the loss is not finite; the parameters stay as they were.

    >>> model = nn.Linear(1, 1)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> batch = (torch.tensor([[1.0]]), torch.tensor([[3.0]]))
    >>> def squared_error(model, x, y):
    ...     return (model(x) - y).square().mean()
    >>> first, second = (
    ...     train_step(model, batch, squared_error, optimizer) for _ in range(2)
    ... )
    >>> second < first
    True
    """
    optimizer.zero_grad()
    loss = loss_fn(model, *batch)  # forward pass
    loss.backward()  # backward pass: the gradient of every parameter
    value = finite_loss(loss)  # before a NaN can reach the parameters
    if clip_norm is not None:
        clip_gradients(model.parameters(), clip_norm)
    optimizer.step()
    return value


def finite_loss(loss: Tensor) -> float:
    """Return the loss as a number, averaged over all processes."""
    value = mean_over_processes(loss.detach()).item()
    if not math.isfinite(value):
        raise FloatingPointError(
            f"The loss is {value}: the run has diverged. Lower the learning rate, warm "
            "up for longer, or look for a division by zero or a logarithm of zero in "
            "the loss."
        )
    return value
