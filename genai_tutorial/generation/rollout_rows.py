"""Selecting rows of rollouts, and joining several rollouts into one."""

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn import functional

from genai_tutorial.tokenization import PADDING

from .rollouts import Rollouts


def select_rollouts(rollouts: Rollouts, rows: Int[Tensor, "part"]) -> Rollouts:
    """Return some rows of rollouts, in the given order, without positions that are
    padding in all of them.
    """
    longest = int(rollouts.lengths[rows].max())
    return Rollouts(
        rollouts.ids[rows, :longest],
        rollouts.prompt_lengths[rows],
        rollouts.lengths[rows],
        rollouts.finished[rows],
        rollouts.log_probs[rows, : longest - 1],
        None if rollouts.stopped is None else rollouts.stopped[rows],
    )


def join_rollouts(parts: Sequence[Rollouts]) -> Rollouts:
    """Return the rows of several rollouts as one, with padding up to the longest row.

    Raises:
        ValueError: If there are no parts.
    """
    if not parts:
        raise ValueError("There must be at least one part to join, got none.")
    longest = max(part.ids.shape[1] for part in parts)
    stopped = [part.stopped for part in parts if part.stopped is not None]

    def pad(numbers: Tensor, length: int) -> Tensor:
        return functional.pad(numbers, (0, length - numbers.shape[1]), value=PADDING)

    return Rollouts(
        torch.cat([pad(part.ids, longest) for part in parts]),
        torch.cat([part.prompt_lengths for part in parts]),
        torch.cat([part.lengths for part in parts]),
        torch.cat([part.finished for part in parts]),
        torch.cat([pad(part.log_probs, longest - 1) for part in parts]),
        torch.cat(stopped) if len(stopped) == len(parts) else None,
    )
