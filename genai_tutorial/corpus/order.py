"""The order of training data: a mixture of sources, and batches of packed rows that a
run can resume.
"""

import math
from collections.abc import Iterator, Mapping

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from .shards import TokenShards


class DataMixture:
    """An endless iterator over the names of sources in proportion to their weights.

    The next source is always the one that is furthest behind its share, so every part
    of a run has the mixture of the whole.

    Args:
        weights: Weight of each source, in any unit.

    Raises:
        ValueError: If there is no source, or a weight is not above 0.

    >>> mixture = DataMixture({"wikipedia": 3, "shakespeare": 1})
    >>> [next(mixture) for _ in range(4)]
    ['wikipedia', 'wikipedia', 'shakespeare', 'wikipedia']
    """

    def __init__(self, weights: Mapping[str, float | int]):
        if not weights or not all(
            weight > 0 and math.isfinite(weight) for weight in weights.values()
        ):
            raise ValueError(
                "Each of one or more sources needs a weight above 0, got "
                f"{dict(weights)}."
            )
        total = sum(weights.values())
        self.shares = {name: weight / total for name, weight in weights.items()}
        self.taken = dict.fromkeys(weights, 0)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        """Return the name of the source to read from."""
        place = sum(self.taken.values()) + 1
        name = max(
            self.shares, key=lambda name: self.shares[name] * place - self.taken[name]
        )
        self.taken[name] += 1
        return name

    def state_dict(self) -> dict:
        """Return the state that determines all further names."""
        return {"taken": dict(self.taken)}

    def load_state_dict(self, state: dict) -> None:
        """Continue from where `state_dict` was called.

        Raises:
            ValueError: If the state belongs to other sources.
        """
        if list(state["taken"]) != list(self.taken):
            raise ValueError(
                f"The state is of the sources {list(state['taken'])}, and these are "
                f"{list(self.taken)}."
            )
        self.taken = dict(state["taken"])


def passes(
    weights: Mapping[str, float | int], sizes: Mapping[str, int], total: int
) -> dict[str, float]:
    """Return the number of epochs over each source in a run. Up to four epochs help
    nearly as much as new text.

    Args:
        sizes: Number of tokens of each source.
        total: Number of tokens in the run.

    Source: Muennighoff et al., Scaling Data-Constrained Language Models,
        https://arxiv.org/abs/2305.16264

    >>> passes({"a": 3, "b": 1}, {"a": 600, "b": 100}, total=1200)
    {'a': 1.5, 'b': 3.0}
    """
    shares = DataMixture(weights).shares
    return {name: total * share / sizes[name] for name, share in shares.items()}


class PackedBatches:
    """An endless iterator over batches of packed rows from one or more weighted
    sources.

    Every row of a source is used once per epoch, in an order that is reshuffled for
    each epoch. The next row depends only on the seed and on the number of rows used
    from its source, so a run can resume anywhere, and the state is one number per
    source.

    Args:
        weights: Weight of each source in the mixture, in rows; None weights sources by
            their size.
        row_length: Number of input tokens per row.
        batch_size: Number of rows per batch, over all processes.
        rank: Index of this process, from 0.
        world_size: Number of processes that share each batch; each takes every
            `world_size`-th row.

    Raises:
        ValueError: If a source is shorter than a row, names do not match, or the batch
            cannot be divided evenly.
    """

    def __init__(
        self,
        sources: Mapping[str, TokenShards],
        row_length: int,
        batch_size: int,
        seed: int,
        *,
        weights: Mapping[str, float | int] | None = None,
        rank: int = 0,
        world_size: int = 1,
    ):
        if row_length < 1 or batch_size < 1:
            raise ValueError(
                f"row_length and batch_size must be at least 1; got {row_length}, "
                f"{batch_size}."
            )
        if not 0 <= rank < world_size or batch_size % world_size:
            raise ValueError(
                "rank must be below world_size, and batch_size a multiple of it; got "
                f"{rank=}, {world_size=}, {batch_size=}."
            )
        self.sources = dict(sources)
        self.row_length, self.batch_size, self.seed = row_length, batch_size, seed
        self.rank, self.world_size = rank, world_size
        self.rows = {
            name: (len(shards) - 1) // row_length for name, shards in sources.items()
        }
        if short := [name for name, rows in self.rows.items() if rows < 1]:
            raise ValueError(
                f"A row needs {row_length} tokens and the one that follows; {short} "
                "have fewer."
            )
        weights = self.rows if weights is None else weights
        if set(weights) != set(sources):
            raise ValueError(
                f"weights must name the sources {list(sources)}, got {list(weights)}."
            )
        self._mixture = DataMixture({name: weights[name] for name in sources})
        # the current epoch's order of each source
        self._orders: dict[str, tuple[int, np.ndarray]] = {}

    def __iter__(self) -> "PackedBatches":
        return self

    def __next__(
        self,
    ) -> tuple[Int[Tensor, "batch position"], Int[Tensor, "batch position"]]:
        """Return inputs and targets, which are the inputs shifted by one token."""
        places = [self._next_place() for _ in range(self.batch_size)]
        rows = torch.stack(
            [self._row(name, row) for name, row in places[self.rank :: self.world_size]]
        )
        return rows[:, :-1], rows[:, 1:]

    def state_dict(self) -> dict:
        """Return the state that, with the settings, determines all further batches."""
        return self._mixture.state_dict() | {
            "seed": self.seed,
            "row_length": self.row_length,
            "rows": dict(self.rows),
        }

    def load_state_dict(self, state: dict) -> None:
        """Continue from where `state_dict` was called.

        Raises:
            ValueError: If the state has other sources, another seed or another row
                length.
        """
        expected = self.state_dict() | {"taken": None}
        if (given := state | {"taken": None}) != expected:
            raise ValueError(
                f"The state is of batches with {given}, and these have {expected}."
            )
        self._mixture.load_state_dict(state)

    def _next_place(self) -> tuple[str, int]:
        name = next(self._mixture)
        epoch, place = divmod(self._mixture.taken[name] - 1, self.rows[name])
        if name not in self._orders or self._orders[name][0] != epoch:
            number = list(self.sources).index(name)
            shuffled = np.random.default_rng([self.seed, number, epoch]).permutation(
                self.rows[name]
            )
            self._orders[name] = (epoch, shuffled)
        return name, int(self._orders[name][1][place])

    def _row(self, name: str, row: int) -> Int[Tensor, " position"]:
        start = row * self.row_length
        return self.sources[name].read(start, start + self.row_length + 1)
