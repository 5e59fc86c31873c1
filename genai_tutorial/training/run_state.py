"""Saving a training run and resuming it exactly."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .checkpoint import load_checkpoint, random_state, save_checkpoint, set_random_state
from .distributed import is_first_process, is_sharded, unwrap
from .ema import EMA
from .history import History
from .optimizers import CombinedOptimizer


@dataclass
class RunState:
    """Everything that determines how a training run continues, except its settings."""

    model: nn.Module
    optimizer: torch.optim.Optimizer | CombinedOptimizer
    batches: Iterable[Sequence[Tensor]]
    schedule: Callable[[int], float] | None
    ema: EMA | None
    generators: Sequence[torch.Generator]

    def resume(self, checkpoint: "Checkpoint") -> History:
        """Load a checkpoint if there is one to resume from, and return its history.

        Raises:
            ValueError: If this run cannot be saved, or the checkpoint is from another
                run.
        """
        checkpoint.check(self)
        if not checkpoint.resume or not checkpoint.exists():
            return History()
        return self._load(checkpoint.load(self), checkpoint.path.name)

    def state_dict(self, history: History) -> dict[str, Any]:
        """Return the content of a checkpoint."""
        return {
            "step": len(history.losses),
            "model": unwrap(self.model).state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "batches": self.batches.state_dict(),
            "schedule": schedule_settings(self.schedule),
            "average": None if self.ema is None else self.ema.state_dict(),
            "generators": [generator.get_state() for generator in self.generators],
            "random": random_state(),
            "history": history.to_dict(),
        }

    def _load(self, state: dict[str, Any], file_name: str) -> History:
        check_schedule(state["schedule"], self.schedule, file_name)
        saved_ema = state["average"]
        if (saved_ema is None) != (self.ema is None):
            has, needs = (
                ("no moving average of the weights", "one")
                if saved_ema is None
                else ("a moving average of the weights", "none")
            )
            raise ValueError(
                f"{file_name} has {has} and this run needs {needs}: delete the file to "
                "start again."
            )
        try:
            unwrap(self.model).load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            if self.ema is not None:
                self.ema.load_state_dict(saved_ema)
        except (KeyError, RuntimeError, ValueError) as error:
            raise ValueError(
                f"{file_name} is from another model or optimizer: {error}"
            ) from error
        self.batches.load_state_dict(state["batches"])
        for generator, generator_state in zip(
            self.generators, state["generators"], strict=True
        ):
            generator.set_state(generator_state)
        set_random_state(state["random"])
        return History.from_dict(state["history"])


@dataclass(frozen=True)
class Checkpoint:
    """The file that a run is saved in and resumed from, and how often.

    Attributes:
        path: The file, ending in .safetensors.
        every: Number of steps between two saves; a run is also saved at its end.
        resume: Whether to resume from the file if it exists.
    """

    path: Path
    every: int = 100
    resume: bool = True

    def __post_init__(self):
        if self.every < 1:
            raise ValueError(f"every must be at least 1, got {self.every}.")

    def check(self, run: RunState) -> None:
        """Raise an error if a run cannot be saved in this kind of checkpoint.

        Raises:
            ValueError: If it cannot.
        """
        check_batches(run.batches)
        if is_sharded(run.model):
            raise ValueError(
                "Each process has only a part of this model: save it with "
                "ShardedCheckpoint, which writes all parts."
            )

    def exists(self) -> bool:
        """Return whether there is a checkpoint to resume from."""
        return self.path.exists()

    def save(self, state: dict[str, Any]) -> None:
        """Write a run's state; of several processes, only the first writes."""
        if is_first_process():
            save_checkpoint(self.path, state)

    def load(self, run: RunState) -> dict[str, Any]:
        """Return the saved state. Only a `ShardedCheckpoint` uses the run."""
        return load_checkpoint(self.path)


def check_batches(batches: Iterable) -> None:
    """Raise an error if batches cannot be saved."""
    if not hasattr(batches, "state_dict"):
        raise ValueError(
            "A run can be resumed only if its batches can: give them state_dict and "
            "load_state_dict, as TokenBatches has, or leave out the checkpoint."
        )


def check_schedule(
    saved: dict | None, schedule: Callable[[int], float] | None, file_name: str
) -> None:
    """Raise an error if a checkpoint was saved with another schedule."""
    if saved != schedule_settings(schedule):
        raise ValueError(
            f"{file_name} is from a run with the schedule {saved}, and this one has "
            f"{schedule_settings(schedule)}: resume with the same, or delete the file "
            "to start again."
        )


def schedule_settings(schedule: Callable[[int], float] | None) -> dict | None:
    """Return the settings of a schedule, or None for a function that has none."""
    return asdict(schedule) if is_dataclass(schedule) else None
