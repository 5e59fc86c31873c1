"""Batches: windows from a long text with the next token as target, and examples from
a data set.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor


class TokenBatches:
    """An endless iterator over batches of windows that start at random positions.

    Args:
        tokens: The whole text.
        context_length: The number of tokens in a window.
        batch_size: The number of windows in a batch, over all processes.
        rank: Number of this process, from 0.
        world_size: Number of processes that share each batch: each takes every
            `world_size`-th window, so that together they read the same batch as a
            single process.

    Raises:
        ValueError: If the text is too short, or the batch cannot be split evenly.

    >>> inputs, targets = next(
    ...     TokenBatches(torch.arange(100), context_length=4, batch_size=2, seed=0)
    ... )
    >>> inputs
    tensor([[44, 45, 46, 47],
            [15, 16, 17, 18]])
    >>> bool((targets == inputs + 1).all())
    True
    """

    def __init__(
        self,
        tokens: Int[Tensor, " length"],
        context_length: int,
        batch_size: int,
        seed: int,
        *,
        rank: int = 0,
        world_size: int = 1,
    ):
        if context_length < 1 or batch_size < 1:
            raise ValueError(
                "context_length and batch_size must be at least 1; got "
                f"{context_length}, {batch_size}."
            )
        if len(tokens) <= context_length:
            raise ValueError(
                f"A window needs {context_length} tokens and the one that follows, but "
                f"the text has only {len(tokens)}: use a longer one or shorter windows."
            )
        _check_share(batch_size, rank, world_size)
        self.tokens = tokens
        self.batch_size = batch_size
        self.rank, self.world_size = rank, world_size
        self._offsets = torch.arange(context_length + 1)
        self._generator = torch.Generator().manual_seed(seed)

    def __iter__(self) -> "TokenBatches":
        return self

    def __next__(
        self,
    ) -> tuple[Int[Tensor, "batch position"], Int[Tensor, "batch position"]]:
        """Return the windows, and the same windows one token later."""
        places = len(self.tokens) - len(self._offsets) + 1
        starts = torch.randint(places, (self.batch_size, 1), generator=self._generator)
        windows = self.tokens[starts[self.rank :: self.world_size] + self._offsets]
        return windows[:, :-1], windows[:, 1:]

    def state_dict(self) -> dict:
        """Return the state that determines all further batches."""
        return {"generator": self._generator.get_state()}

    def load_state_dict(self, state: dict) -> None:
        """Continue from where `state_dict` was called."""
        self._generator.set_state(state["generator"])


class TensorBatches:
    """An endless iterator over shuffled batches of examples, such as images with their
    labels.

    Each epoch visits every example once, in a new random order. A batch may span two
    epochs, so that all batches have the same size.

    Args:
        tensors: One or more tensors with one row per example.
        batch_size: The number of examples in a batch, over all processes.
        rank: Number of this process, from 0.
        world_size: Number of processes that share each batch, as for `TokenBatches`.

    Raises:
        ValueError: If there are no examples, their numbers differ, or the batch cannot
            be split evenly.

    >>> images, labels = torch.zeros(4, 28, 28), torch.arange(4)
    >>> batches = TensorBatches((images, labels), batch_size=3, seed=0)
    >>> [next(batches)[1].tolist() for _ in range(4)]
    [[0, 1, 3], [2, 0, 2], [3, 1, 3], [2, 0, 1]]
    """

    def __init__(
        self,
        tensors: Sequence[Tensor],
        batch_size: int,
        seed: int,
        *,
        rank: int = 0,
        world_size: int = 1,
    ):
        counts = [len(tensor) for tensor in tensors]
        if not counts or min(counts) < 1 or len(set(counts)) > 1:
            raise ValueError(
                f"tensors must have the same number of rows, at least 1; got {counts}."
            )
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}.")
        _check_share(batch_size, rank, world_size)
        self.tensors = tuple(tensors)
        self.batch_size = batch_size
        self.rank, self.world_size = rank, world_size
        # the examples of this epoch that have not been used
        self._waiting = torch.empty(0, dtype=torch.long)
        self._generator = torch.Generator().manual_seed(seed)

    def __iter__(self) -> "TensorBatches":
        return self

    def __next__(self) -> tuple[Tensor, ...]:
        """Return the next batch: the same rows of each tensor."""
        while len(self._waiting) < self.batch_size:
            next_epoch = torch.randperm(len(self.tensors[0]), generator=self._generator)
            self._waiting = torch.cat([self._waiting, next_epoch])
        chosen, self._waiting = (
            self._waiting[: self.batch_size],
            self._waiting[self.batch_size :],
        )
        return tuple(
            tensor[chosen[self.rank :: self.world_size]] for tensor in self.tensors
        )

    def state_dict(self) -> dict:
        """Return the state that determines all further batches."""
        return {"waiting": self._waiting, "generator": self._generator.get_state()}

    def load_state_dict(self, state: dict) -> None:
        """Continue from where `state_dict` was called."""
        self._waiting = state["waiting"]
        self._generator.set_state(state["generator"])


def _check_share(batch_size: int, rank: int, world_size: int) -> None:
    if not 0 <= rank < world_size:
        raise ValueError(
            f"rank must be from 0 to world_size - 1 ({world_size - 1}), got {rank}."
        )
    if batch_size % world_size:
        raise ValueError(
            "batch_size must be a multiple of the number of processes; got "
            f"{batch_size=}, {world_size=}."
        )
