"""What changes with the steps of a run: the learning rate, by a schedule with a factor
between 0 and 1 for each step, and the exponential moving average of the weights.
"""

import copy
import math
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from torch import nn

from .optimizers import CombinedOptimizer

Decay = Literal["cosine", "linear", "sqrt", "none"]


@dataclass(frozen=True)
class Schedule:
    """Linear warmup, a plateau, a decay and a linear cooldown to zero; `schedule(step)`
    is the factor for a step.

    Attributes:
        warmup_steps: Length of the warmup. Its first step has the factor 1 /
            warmup_steps (in the transformers library the factor 0, which wastes a
            step), and its last step the factor 1.
        decay: `cosine`, `linear`, `sqrt` for 1 - sqrt(x), which falls fast at first, or
            `none` to stay at 1.
        decay_steps: Length of the decay; None for all steps after the warmup.
        final_factor: The factor at the end of the decay.
        cooldown_steps: Length of the linear cooldown from there to zero, at the end of
            the run.

    Raises:
        ValueError: If the numbers of steps do not fit together, or
            `final_factor` is not between 0 and 1.

    >>> schedule = Schedule(steps=100, warmup_steps=10, decay="linear", decay_steps=50)
    >>> [round(schedule(step), 3) for step in (0, 9, 10, 50, 75, 99, 100)]
    [0.1, 1.0, 1.0, 1.0, 0.5, 0.02, 0.0]
    """

    steps: int
    warmup_steps: int = 0
    decay: Decay = "cosine"
    decay_steps: int | None = None
    final_factor: float = 0.0
    cooldown_steps: int = 0

    def __post_init__(self):
        if self.steps < 1:
            raise ValueError(f"steps must be at least 1, got {self.steps}.")
        after_warmup = self.steps - self.warmup_steps
        ranges = {
            "warmup_steps": (0, self.steps),
            "cooldown_steps": (0, after_warmup),
            "decay_steps": (1, after_warmup - self.cooldown_steps),
            "final_factor": (0, 1),
        }
        for name, (least, most) in ranges.items():
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise ValueError(f"{name} must be from {least} to {most}, got {value}.")
        if self.decay not in get_args(Decay):
            raise ValueError(
                f"decay must be one of {', '.join(get_args(Decay))}; got "
                f"{self.decay!r}."
            )

    def __call__(self, step: int) -> float:
        """Return the factor for a step, counted from 0."""
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        cooldown_start = self.steps - self.cooldown_steps
        cooldown = 1.0
        if self.cooldown_steps:
            cooldown = min(max(self.steps - step, 0) / self.cooldown_steps, 1.0)
        return cooldown * self._decayed(min(step, cooldown_start), cooldown_start)

    def over(self, steps: int) -> "Schedule":
        """Return the schedule stretched to another number of steps, with a complete
        warmup and decay however short the run.

        >>> warmup_linear(steps=1000, warmup_steps=10).over(100)(99) < 0.02
        True
        """
        warmup_steps = min(self.warmup_steps, steps // 2)
        cooldown_steps = 0
        if self.cooldown_steps:
            cooldown_steps = min(
                max(1, self.cooldown_steps * steps // self.steps), steps - warmup_steps
            )
        left = steps - warmup_steps - cooldown_steps
        decay_steps = None
        if self.decay_steps is not None and left > 0:
            decay_steps = min(max(1, self.decay_steps * steps // self.steps), left)
        return replace(
            self,
            steps=steps,
            warmup_steps=warmup_steps,
            decay_steps=decay_steps,
            cooldown_steps=cooldown_steps,
        )

    def _decayed(self, step: int, end: int) -> float:
        whole = end - self.warmup_steps
        decay_steps = whole if self.decay_steps is None else self.decay_steps
        if self.decay == "none" or decay_steps == 0:
            return 1.0
        progress = min(max((step - (end - decay_steps)) / decay_steps, 0.0), 1.0)
        match self.decay:
            case "linear":
                remaining = 1 - progress
            case "sqrt":
                remaining = 1 - math.sqrt(progress)
            case "cosine":
                remaining = (1 + math.cos(math.pi * progress)) / 2
        return self.final_factor + (1 - self.final_factor) * remaining


def scale_learning_rates(
    optimizer: torch.optim.Optimizer | CombinedOptimizer, factor: float
) -> None:
    """Set each learning rate to `factor` times its initial value.

    >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.5)
    >>> for factor in (0.1, 0.5):
    ...     scale_learning_rates(optimizer, factor)
    >>> optimizer.param_groups[0]["lr"]
    0.25
    """
    for group in optimizer.param_groups:
        group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor


def warmup_constant(warmup_steps: int) -> Schedule:
    """Return a schedule that stays at 1 after a linear warmup.

    >>> [warmup_constant(warmup_steps=2)(step) for step in range(4)]
    [0.5, 1.0, 1.0, 1.0]
    """
    return Schedule(max(1, warmup_steps), warmup_steps, "none")


def warmup_cosine(steps: int, warmup_steps: int) -> Schedule:
    """Return a schedule with linear warmup and cosine decay to zero.

    Source: Loshchilov and Hutter, SGDR, equation 5, https://arxiv.org/abs/1608.03983

    >>> round(warmup_cosine(steps=110, warmup_steps=10)(60), 3)  # half-way down
    0.5
    """
    return Schedule(steps, warmup_steps)


def warmup_linear(
    steps: int,
    warmup_steps: int,
    decay_steps: int | None = None,
) -> Schedule:
    """Return a schedule with linear warmup, a plateau, and a linear decay over the last
    `decay_steps` (None: no plateau).

    Source: Hägele et al., Scaling Laws and Compute-Optimal Training Beyond Fixed
        Training Durations, section 3, https://arxiv.org/abs/2405.18392

    >>> warmup_linear(steps=100, warmup_steps=0)(25)
    0.75
    """
    return Schedule(steps, warmup_steps, "linear", decay_steps)


def warmup_stable_decay(
    steps: int,
    warmup_steps: int,
    decay_steps: int,
    decay: Decay = "sqrt",
) -> Schedule:
    """Return a schedule with linear warmup, a long plateau, and a short decay (WSD).

    The plateau does not depend on the number of steps, so runs of several lengths can
    share it: each needs only its own decay, started from a checkpoint on the plateau. A
    cosine schedule needs to know the last step from the beginning.

    Source: Hu et al., MiniCPM, section 4, https://arxiv.org/abs/2404.06395; decay by
        1 - sqrt: Hägele et al., section 4, https://arxiv.org/abs/2405.18392

    >>> schedule = warmup_stable_decay(steps=100, warmup_steps=10, decay_steps=20)
    >>> [schedule(step) for step in (10, 80, 85, 100)]
    [1.0, 1.0, 0.5, 0.0]
    """
    return Schedule(steps, warmup_steps, decay, decay_steps)


class EMA:
    r"""The exponential moving average of a model's weights.

    After step $t$, the average is a weighted mean of the weights after steps 1 to $t$,
    where each step further back counts $d$ times as much ($d$ is the decay). The
    factors sum to 1 from the first step on, so the initial weights do not contribute.
    The update after each step is

    $$\bar w_t = \bar w_{t-1} + \frac{1 - d}{1 - d^t}\,(w_t - \bar w_{t-1})$$

    Buffers, such as running statistics and counters, are copied.

    Args:
        decay: The decay, from 0 to below 1. The average covers about 1 / (1 - decay)
            steps.

    Raises:
        ValueError: If the decay is out of range.

    Source: Kingma and Ba (2015), Adam, section 3, for the correction of the start,
        https://arxiv.org/abs/1412.6980; Polyak and Juditsky (1992), Acceleration of
        stochastic approximation by averaging.

    >>> model = nn.Linear(1, 1, bias=False)
    >>> average = EMA(model, decay=0.5)
    >>> for value in (3.0, 6.0):
    ...     _ = nn.init.constant_(model.weight, value)
    ...     average.update(model)
    >>> average.model.weight.item()  # 3 counts a third and 6 two thirds
    5.0
    """

    def __init__(self, model: nn.Module, decay: float = 0.999):
        if not 0 <= decay < 1:
            raise ValueError(
                f"decay must be from 0 to below 1, such as 0.999, got {decay}."
            )
        self.decay, self.updates = decay, 0
        self.model = copy.deepcopy(model).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Include the current weights; call it after each optimizer step."""
        self.updates += 1
        rate = (1 - self.decay) / (1 - self.decay**self.updates)
        for mean, weight in zip(
            self.model.parameters(), model.parameters(), strict=True
        ):
            mean.lerp_(weight, rate)
        for kept, buffer in zip(self.model.buffers(), model.buffers(), strict=True):
            kept.copy_(buffer)

    def state_dict(self) -> dict:
        """Return the state for a checkpoint."""
        return {
            "decay": self.decay,
            "updates": self.updates,
            "model": self.model.state_dict(),
        }

    def load_state_dict(self, state: dict) -> None:
        """Restore the result of `state_dict`.

        Raises:
            ValueError: If it is the state of an average with another decay.
            RuntimeError: If it is the state of another model.
        """
        if state["decay"] != self.decay:
            raise ValueError(
                f"This average has the decay {self.decay}, and the saved one "
                f"{state['decay']}."
            )
        self.model.load_state_dict(state["model"])
        self.updates = state["updates"]
