"""A dream beside reality: the same start and the same actions in both."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .dream import dream_step, state_after
from .dynamics import WorldModel
from .recording import Recording


@dataclass(frozen=True)
class DreamComparison:
    """Pieces of a recording, and what a model dreams there with the same actions.

    Attributes:
        seen: The real frames that the model sees before it dreams; the dreams start
            from the last of them.
        real: The real frames that follow.
        dreamed: The dreamed frames that follow, brightness from 0 to 1.
        actions: The actions that lead to them.
    """

    seen: Float[Tensor, "warmup dream *frame"]
    real: Float[Tensor, "step dream *frame"]
    dreamed: Float[Tensor, "step dream *frame"]
    actions: Int[Tensor, "step dream"]


@torch.no_grad()
def dream_beside_reality(
    model: WorldModel,
    recording: Recording,
    steps: int,
    count: int,
    *,
    temperature: float | int = 1.0,
    warmup: int = 8,
    seed: int = 0,
) -> DreamComparison:
    """Dream along pieces of a recording in which no episode ends.

    Args:
        recording: Real steps that the model has not been trained on.
        temperature: See `sample_codes`.
        warmup: The number of real frames before the one that the dreams start from.
        seed: Decides the pieces and the dreams.

    Raises:
        ValueError: If the recording has no such piece.
    """
    generator = torch.Generator().manual_seed(seed)
    starts = recording.unbroken_starts(warmup + steps)
    drawn = starts[torch.randint(len(starts), (count,), generator=generator)]
    windows = recording.windows(drawn, warmup + steps)
    state, frames = state_after(model, recording, drawn, warmup), []
    for actions in windows.actions[warmup:]:
        state, _, _ = dream_step(model, state, actions, temperature, generator)
        frames.append(model.decode(state.codes))
    return DreamComparison(
        windows.frames[: warmup + 1],
        windows.frames[warmup + 1 :],
        torch.stack(frames),
        windows.actions[warmup:],
    )
