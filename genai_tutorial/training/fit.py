"""The training loop: the same for every model in the book."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from genai_tutorial.runtime.progress import progress_bar
from genai_tutorial.training.checkpoint import (
    load_checkpoint,
    random_state,
    save_checkpoint,
    set_random_state,
)
from genai_tutorial.training.distributed import (
    is_first_process,
    is_sharded,
    mean_over_processes,
    together,
    unwrap,
)
from genai_tutorial.training.ema import EMA
from genai_tutorial.training.history import Evaluation, History
from genai_tutorial.training.optimizers import CombinedOptimizer, clip_gradients
from genai_tutorial.training.sharded_checkpoint import (
    latest_step,
    load_sharded,
    save_sharded,
    start_optimizer,
)


@dataclass(frozen=True)
class Checkpoint:
    """Where a run saves itself, and how often.

    Attributes:
        path: The file, ending in .safetensors; with `sharded`, a folder.
        every: After how many steps it is written again; it is also written at the end.
        resume: Whether to go on from the file if it is there.
        sharded: Whether each process writes its own part, as a model needs that `shard`
            has split up. Any number of processes can go on from it.
    """

    path: Path
    every: int = 100
    resume: bool = True
    sharded: bool = False

    def __post_init__(self):
        if self.every < 1:
            raise ValueError(f"every must be at least 1, got {self.every}.")

    def exists(self) -> bool:
        """Whether there is something to go on from."""
        return (
            latest_step(self.path) is not None if self.sharded else self.path.exists()
        )


def fit(
    model: nn.Module,
    batches: Iterable[Sequence[Tensor]],
    loss_fn: Callable[..., Tensor],
    optimizer: torch.optim.Optimizer | CombinedOptimizer,
    *,
    steps: int,
    schedule: Callable[[int], float] | None = None,
    clip_norm: float | None = 1.0,
    parts: int = 1,
    bfloat16: bool = False,
    evaluate: Callable[[nn.Module], float] | None = None,
    evaluate_every: int | None = None,
    average: EMA | None = None,
    checkpoint: Checkpoint | None = None,
    generators: Sequence[torch.Generator] = (),
    progress: bool = True,
) -> History:
    """Trains a model: take a batch, measure the loss, follow its gradient downhill,
    again and again.

    Args:
        model: What to train; it stays on its device, and batches are brought there.
        batches: An iterator of tuples of tensors, without end or with at least `steps`
            of them.
        loss_fn: Called as `loss_fn(model, *batch)`; returns the loss as a tensor with
            one number.
        optimizer: Moves the model's parameters.
        steps: How many batches the run takes, counting those before a resume.
        schedule: A factor for all learning rates at each step; None for 1.
        clip_norm: The greatest length of the gradient; None for no limit.
        parts: How many parts each batch is read in, one after the other, so that only
            one takes up memory; must divide the batch. The step is that of the whole
            batch where the loss is a mean over examples (gradient accumulation).
        bfloat16: Whether matrix products are computed in bfloat16, which has the range
            of float32 and three digits; the weights and what the optimiser remembers
            stay as they are (autocast).
        evaluate: Called with the model in evaluation mode, or with its average where
            there is one; returns a number to keep.
        evaluate_every: After how many steps to evaluate; None for the end only.
        average: Follows the weights after each step; None for nothing.
        checkpoint: Where to save the run and go on from; needs batches with
            `state_dict`, like `TokenBatches`.
        generators: Random sources that `loss_fn` draws from, so that checkpoints can
            hold them.
        progress: Whether to show a progress bar.

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
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}.")
    if evaluate_every is not None and evaluate_every < 1:
        raise ValueError(
            "evaluate_every must be at least 1, or None for the end only; got "
            f"{evaluate_every}."
        )
    if parts < 1:
        raise ValueError(f"parts must be at least 1, got {parts}.")
    if checkpoint is not None and is_sharded(model) and not checkpoint.sharded:
        raise ValueError(
            "Each process has only a part of this model: save it with Checkpoint(..., "
            "sharded=True)."
        )
    if checkpoint is not None and not hasattr(batches, "state_dict"):
        raise ValueError(
            "A run can be resumed only if its batches can: give them state_dict and "
            "load_state_dict, "
            "as TokenBatches has, or leave out the checkpoint."
        )
    for group in optimizer.param_groups:
        group.setdefault("initial_lr", group["lr"])
    source, history = iter(batches), History()
    if checkpoint is not None and checkpoint.resume and checkpoint.exists():
        history = _resume(
            checkpoint, model, optimizer, batches, schedule, average, generators
        )
    parameters = [
        parameter for parameter in model.parameters() if parameter.requires_grad
    ]
    device = parameters[0].device
    first = len(history.losses)
    model.train()
    with progress_bar(
        total=steps,
        initial=first,
        label="training",
        show=progress and is_first_process(),
    ) as bar:
        for step in range(first, steps):
            started = time.perf_counter()
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * (
                    1.0 if schedule is None else schedule(step)
                )
            batch = next(source, None)
            if batch is None:
                raise ValueError(
                    f"The batches ran out after {step} steps of {steps}: give more, or "
                    "fewer steps."
                )
            optimizer.zero_grad()
            shares = []
            for part, is_last in _cut(batch, parts):
                with together(model, is_last):
                    with (
                        torch.autocast(device.type, torch.bfloat16)
                        if bfloat16
                        else nullcontext()
                    ):
                        share = (
                            loss_fn(model, *(tensor.to(device) for tensor in part))
                            / parts
                        )
                    share.backward()
                shares.append(share.detach())
            value = mean_over_processes(torch.stack(shares).sum()).item()
            if not math.isfinite(value):
                raise FloatingPointError(
                    f"The loss is {value} at step {step + 1}: the run has diverged. "
                    "Lower the learning rate, warm up "
                    "for longer, or look for a division by zero or a logarithm of zero "
                    "in the loss."
                )
            if clip_norm is not None:
                clip_gradients(parameters, clip_norm)
            optimizer.step()
            if average is not None:
                average.update(unwrap(model))
            history.losses.append(value)
            history.seconds += time.perf_counter() - started
            done, last = step + 1, step + 1 == steps
            if evaluate is not None and (
                last or (evaluate_every is not None and done % evaluate_every == 0)
            ):
                judged = unwrap(model) if average is None else average.model
                history.evaluations.append(
                    Evaluation(done, _evaluate(judged, evaluate), history.seconds)
                )
                model.train()
            if checkpoint is not None and (last or done % checkpoint.every == 0):
                state = _state(
                    model, optimizer, batches, schedule, average, generators, history
                )
                if checkpoint.sharded:
                    save_sharded(checkpoint.path, state)
                elif is_first_process():
                    save_checkpoint(checkpoint.path, state)
            bar.set_postfix(loss=f"{value:.3f}", refresh=False)
            bar.update()
    return history


def _cut(
    batch: Sequence[Tensor], parts: int
) -> Iterator[tuple[Sequence[Tensor], bool]]:
    """Yield the parts of a batch, and with each whether it is the last."""
    if parts == 1:
        yield batch, True
        return
    if any(len(tensor) % parts for tensor in batch):
        raise ValueError(
            f"parts must divide the batch; got {parts=}, a batch of "
            f"{[len(tensor) for tensor in batch]}."
        )
    for number, part in enumerate(
        zip(*(tensor.chunk(parts) for tensor in batch), strict=True), start=1
    ):
        yield part, number == parts


@torch.no_grad()
def _evaluate(model: nn.Module, evaluate: Callable[[nn.Module], float]) -> float:
    return float(evaluate(model.eval()))


def _state(model, optimizer, batches, schedule, average, generators, history) -> dict:
    return {
        "step": len(history.losses),
        "model": unwrap(model).state_dict(),
        "optimizer": optimizer.state_dict(),
        "batches": batches.state_dict(),
        "schedule": asdict(schedule) if is_dataclass(schedule) else None,
        "average": None if average is None else average.state_dict(),
        "generators": [generator.get_state() for generator in generators],
        "random": random_state(),
        "history": history.to_dict(),
    }


def _resume(
    checkpoint: Checkpoint, model, optimizer, batches, schedule, average, generators
) -> History:
    path = checkpoint.path
    if checkpoint.sharded:
        start_optimizer(optimizer)
        state = load_sharded(
            path,
            _state(model, optimizer, batches, schedule, average, generators, History()),
        )
    else:
        state = load_checkpoint(path)
    wanted = asdict(schedule) if is_dataclass(schedule) else None
    if state["schedule"] != wanted:
        raise ValueError(
            f"{path.name} is from a run with the schedule {state['schedule']}, and "
            f"this one has {wanted}: resume with "
            "the same, or delete the file to start anew."
        )
    saved_average = state.get("average")
    if (saved_average is None) != (average is None):
        has, wants = (
            ("no average of the weights", "one")
            if saved_average is None
            else ("an average", "none")
        )
        raise ValueError(
            f"{path.name} has {has} and this run wants {wants}: delete the file to "
            "start anew."
        )
    try:
        unwrap(model).load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        if average is not None:
            average.load_state_dict(saved_average)
    except (KeyError, RuntimeError, ValueError) as error:
        raise ValueError(
            f"{path.name} is from another model or optimiser: {error}"
        ) from error
    batches.load_state_dict(state["batches"])
    for generator, generator_state in zip(generators, state["generators"], strict=True):
        generator.set_state(generator_state)
    set_random_state(state["random"])
    return History.from_dict(state["history"])
