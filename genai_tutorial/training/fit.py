"""Training: one step, the loop around it and a run's history; the same for every model
in the book.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field

import torch
from torch import Tensor, nn

from genai_tutorial.runtime import progress_bar

from .checkpoint import Checkpoint, RunState
from .distributed import is_first_process, mean_over_processes, unwrap
from .optimizers import CombinedOptimizer
from .schedules import EMA, scale_learning_rates


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


@torch.no_grad()
def clip_gradients(parameters: Iterable[nn.Parameter], max_norm: float) -> torch.Tensor:
    """Scale all gradients down by one factor, if necessary, so that their total norm is
    at most `max_norm` (gradient clipping).

    Args:
        parameters: The parameters whose gradients count; frozen ones are ignored.
        max_norm: Maximum norm, above 0.

    Returns:
        The norm before clipping; 0 if no parameter has a gradient.

    Source: Pascanu et al., On the difficulty of training recurrent neural networks,
        algorithm 1, https://arxiv.org/abs/1211.5063

    >>> weight = nn.Parameter(torch.zeros(2))
    >>> weight.grad = torch.tensor([3.0, 4.0])
    >>> clip_gradients([weight], max_norm=1.0), weight.grad
    (tensor(5.), tensor([0.6000, 0.8000]))
    """
    if not max_norm > 0:
        raise ValueError(f"max_norm must be above 0, got {max_norm}.")
    gradients = [
        parameter.grad
        for parameter in parameters
        if parameter.requires_grad and parameter.grad is not None
    ]
    if not gradients:
        return torch.zeros(())
    length = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
    torch._foreach_mul_(gradients, (max_norm / (length + 1e-6)).clamp(max=1.0))
    return length


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


@dataclass(frozen=True)
class Evaluation:
    """One evaluation during a run.

    Attributes:
        step: Number of training steps before it.
        value: The result, usually the validation loss in nats per token.
        seconds: Training time until then, without the evaluations.
    """

    step: int
    value: float
    seconds: float


@dataclass
class History:
    """The training loss of each step of a run, its evaluations, and the time it took
    without them.

    >>> history = History(
    ...     losses=[2.0, 1.0], evaluations=[Evaluation(2, 1.5, 0.1)], seconds=0.1
    ... )
    >>> history.best
    Evaluation(step=2, value=1.5, seconds=0.1)
    """

    losses: list[float] = field(default_factory=list)
    evaluations: list[Evaluation] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def best(self) -> Evaluation:
        """The evaluation with the lowest value.

        Raises:
            ValueError: If there was none.
        """
        if not self.evaluations:
            raise ValueError(
                "This run has no evaluations: give `fit` a function to evaluate with."
            )
        return min(self.evaluations, key=lambda evaluation: evaluation.value)

    def smoothed(self, window: int = 20) -> list[float]:
        """Return the mean of the last `window` losses at each step, because single
        batches are noisy.

        >>> History(losses=[3.0, 1.0, 2.0]).smoothed(window=2)
        [3.0, 2.0, 1.5]
        """
        means = []
        for end in range(1, len(self.losses) + 1):
            latest = self.losses[max(0, end - window) : end]
            means.append(sum(latest) / len(latest))
        return means

    def to_dict(self) -> dict:
        """Return the history as a dictionary for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict) -> "History":
        """Build a history from the result of `to_dict`."""
        evaluations = [Evaluation(**evaluation) for evaluation in values["evaluations"]]
        return cls(list(values["losses"]), evaluations, values["seconds"])


def training_loop(
    steps: int,
    optimizer: torch.optim.Optimizer | CombinedOptimizer | None = None,
    schedule: Callable[[int], float] | None = None,
    *,
    done: int = 0,
    watch: Callable[[int], None] | None = None,
    show: Callable[[], str] = str,
    label: str = "training",
    progress: bool = True,
) -> Iterator[int]:
    """Yield the number of each step, from 0, after setting its learning rates; keep a
    progress bar.

    Args:
        steps: Number of steps, counting those before a resume.
        optimizer: The optimizer whose learning rates the schedule scales; None if the
            loop has no such optimizer.
        schedule: A factor for all learning rates at each step; None for 1.
        done: Number of steps before a resume.
        watch: Called with the number of steps done, before the first step and after
            each.
        show: Returns a text to show beside the bar after each step.
        label: Text before the bar.

    Raises:
        ValueError: If there is no step.

    >>> [step for step in training_loop(2, progress=False)]
    [0, 1]
    """
    if steps < 1:
        raise ValueError(f"Training takes at least one step, got {steps}.")
    if watch is not None and done == 0:
        watch(0)
    with progress_bar(
        total=steps, initial=done, label=label, show=progress and is_first_process()
    ) as bar:
        for step in range(done, steps):
            if optimizer is not None:
                scale_learning_rates(optimizer, schedule(step) if schedule else 1.0)
            yield step
            if watch is not None:
                watch(step + 1)
            bar.set_postfix_str(show(), refresh=False)
            bar.update()


def fit(
    model: nn.Module,
    batches: Iterable[Sequence[Tensor]],
    loss_fn: Callable[..., Tensor],
    optimizer: torch.optim.Optimizer | CombinedOptimizer,
    *,
    steps: int,
    schedule: Callable[[int], float] | None = None,
    clip_norm: float | None = 1.0,
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
        steps: Number of training steps, counting those before a resume.
        schedule: A factor for all learning rates at each step; None for 1.
        clip_norm: Maximum norm of the gradient; None for no limit.
        evaluate: Called with the model in evaluation mode, or with `ema`'s model if
            there is one; returns a number to keep.
        evaluate_every: Number of steps between two evaluations; None for one at the
            end only.
        ema: Moving average of the weights, updated after each step; None for no
            average.
        checkpoint: The file to save the run to and resume it from; needs batches with
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
    if evaluate_every is not None and evaluate_every < 1:
        raise ValueError(f"evaluate_every must be at least 1, got {evaluate_every}.")
    parts = {"model": unwrap(model), "optimizer": optimizer, "batches": batches}
    run = RunState(parts | {"average": ema}, schedule, generators)
    source, history = iter(batches), History()
    device = next(p.device for p in model.parameters() if p.requires_grad)
    saved = None if checkpoint is None else run.resume(checkpoint)
    if saved is not None:
        history = History.from_dict(saved)
    model.train()
    for step in training_loop(
        steps,
        optimizer,
        schedule,
        done=len(history.losses),
        show=lambda: f"loss={history.losses[-1]:.3f}",
        progress=progress,
    ):
        started, done = time.perf_counter(), step + 1
        batch = next_batch(source, device, step, steps)
        try:
            loss = train_step(model, batch, loss_fn, optimizer, clip_norm)
        except FloatingPointError as error:
            raise FloatingPointError(f"Step {done} of {steps}: {error}") from error
        if ema is not None:
            ema.update(unwrap(model))
        history.losses.append(loss)
        history.seconds += time.perf_counter() - started
        if evaluate is not None and is_due(done, evaluate_every, steps):
            value = _evaluate(unwrap(model) if ema is None else ema.model, evaluate)
            history.evaluations.append(Evaluation(done, value, history.seconds))
            model.train()
        if checkpoint is not None and is_due(done, checkpoint.every, steps):
            run.save(checkpoint, done, history.to_dict())
    return history


def next_batch(
    source: Iterator[Sequence[Tensor]], device: torch.device, step: int, steps: int
) -> tuple[Tensor, ...]:
    """Take a batch and move it to the model's device."""
    batch = next(source, None)
    if batch is None:
        raise ValueError(
            f"The batches ran out after {step} steps of {steps}: give more, or fewer "
            "steps."
        )
    return tuple(tensor.to(device) for tensor in batch)


def is_due(step: int, every: int | None, steps: int) -> bool:
    """Return whether something that happens every so often, and at the end, is due."""
    return step == steps or (every is not None and step % every == 0)


@torch.no_grad()
def _evaluate(model: nn.Module, evaluate: Callable[[nn.Module], float]) -> float:
    return float(evaluate(model.eval()))
