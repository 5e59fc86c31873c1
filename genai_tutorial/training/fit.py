"""The training loop: the same for every model in the book."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from genai_tutorial.runtime import progress_bar

from .accumulation import accumulated_train_step
from .distributed import is_first_process, unwrap
from .ema import EMA
from .history import Evaluation, History
from .mixed_precision import in_bfloat16
from .optimizers import CombinedOptimizer
from .run_state import Checkpoint, RunState
from .schedules import scale_learning_rates
from .train_step import train_step


def fit(
    model: nn.Module,
    batches: Iterable[Sequence[Tensor]],
    loss_fn: Callable[..., Tensor],
    optimizer: torch.optim.Optimizer | CombinedOptimizer,
    *,
    steps: int,
    schedule: Callable[[int], float] | None = None,
    clip_norm: float | None = 1.0,
    accumulation_steps: int = 1,
    bfloat16: bool = False,
    evaluate: Callable[[nn.Module], float] | None = None,
    evaluate_every: int | None = None,
    ema: EMA | None = None,
    checkpoint: Checkpoint | None = None,
    generators: Sequence[torch.Generator] = (),
    progress: bool = True,
) -> History:
    """Train a model: repeat `train_step`, each time on the next batch.

    Args:
        model: The model to train; it stays on its device, and batches are moved there.
        batches: An iterator of tuples of tensors, without end or with at least `steps`
            of them.
        loss_fn: Called as `loss_fn(model, *batch)`; returns the loss as a tensor with
            one number.
        optimizer: Updates the model's parameters.
        steps: Number of training steps, counting those before a resume.
        schedule: A factor for all learning rates at each step; None for 1.
        clip_norm: Maximum norm of the gradient; None for no limit.
        accumulation_steps: Number of micro-batches that each batch is split into, so
            that only one of them takes up memory at a time; must divide the batch. See
            `accumulated_train_step`.
        bfloat16: Whether to compute matrix products in bfloat16, see `in_bfloat16`.
        evaluate: Called with the model in evaluation mode, or with `ema`'s model if
            there is one; returns a number to keep.
        evaluate_every: Number of steps between two evaluations; None for one at the
            end only.
        ema: Moving average of the weights, updated after each step; None for no
            average.
        checkpoint: Where to save the run and resume it from; needs batches with
            `state_dict`, like `TokenBatches`.
        generators: Random generators that `loss_fn` draws from, so that checkpoints can
            hold them.

    Raises:
        ValueError: If a setting is out of range, the batches run out, or a checkpoint
            is from another run.
        FloatingPointError: If the loss is no longer a number.

    >>> model = nn.Linear(1, 1)
    >>> line = [(torch.tensor([[1.0]]), torch.tensor([[3.0]]))] * 50
    >>> history = fit(
    ...     model,
    ...     line,
    ...     lambda model, x, y: (model(x) - y).square().mean(),
    ...     torch.optim.SGD(model.parameters(), lr=0.1),
    ...     steps=50,
    ...     clip_norm=None,
    ...     progress=False,
    ... )
    >>> history.losses[-1] < 1e-6
    True
    """
    for name, number in (
        ("steps", steps),
        ("evaluate_every", evaluate_every),
        ("accumulation_steps", accumulation_steps),
    ):
        if number is not None and number < 1:
            raise ValueError(f"{name} must be at least 1, got {number}.")
    loss_fn = in_bfloat16(loss_fn) if bfloat16 else loss_fn
    take_step = (
        train_step
        if accumulation_steps == 1
        else partial(accumulated_train_step, accumulation_steps=accumulation_steps)
    )
    run = RunState(model, optimizer, batches, schedule, ema, generators)
    source = iter(batches)
    history = History() if checkpoint is None else run.resume(checkpoint)
    steps_done = len(history.losses)
    model.train()
    with progress_bar(
        total=steps,
        initial=steps_done,
        label="training",
        show=progress and is_first_process(),
    ) as bar:
        for step in range(steps_done + 1, steps + 1):
            started = time.perf_counter()
            scale_learning_rates(optimizer, schedule(step - 1) if schedule else 1.0)
            batch = _next_batch(source, model, step, steps)
            try:
                loss = take_step(model, batch, loss_fn, optimizer, clip_norm)
            except FloatingPointError as error:
                raise FloatingPointError(f"Step {step} of {steps}: {error}") from error
            if ema is not None:
                ema.update(unwrap(model))
            history.losses.append(loss)
            history.seconds += time.perf_counter() - started
            if evaluate is not None and _is_due(step, evaluate_every, steps):
                value = _evaluate(unwrap(model) if ema is None else ema.model, evaluate)
                history.evaluations.append(Evaluation(step, value, history.seconds))
                model.train()
            if checkpoint is not None and _is_due(step, checkpoint.every, steps):
                checkpoint.save(run.state_dict(history))
            bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
            bar.update()
    return history


def _next_batch(
    source: Iterator[Sequence[Tensor]], model: nn.Module, step: int, steps: int
) -> tuple[Tensor, ...]:
    """Take a batch and move it to the model's device."""
    batch = next(source, None)
    if batch is None:
        raise ValueError(
            f"The batches ran out after {step - 1} steps of {steps}: give more, or "
            "fewer steps."
        )
    device = next(
        weight for weight in model.parameters() if weight.requires_grad
    ).device
    return tuple(tensor.to(device) for tensor in batch)


def _is_due(step: int, every: int | None, steps: int) -> bool:
    """Return whether something that happens every so often, and at the end, is due."""
    return step == steps or (every is not None and step % every == 0)


@torch.no_grad()
def _evaluate(model: nn.Module, evaluate: Callable[[nn.Module], float]) -> float:
    return float(evaluate(model.eval()))
