"""Data mixtures: sources in given proportions, in a deterministic order."""

import math
from collections.abc import Iterator, Mapping


class DataMixture:
    """An endless iterator over the names of sources in proportion to their weights.

    The next source is always the one that is furthest behind its share, so every part
    of a run has the same mixture as the whole, and no source is ever ahead of its share
    by one. The state is just the count of each source.

    Args:
        weights: Weight of each source, in any unit.

    Raises:
        ValueError: If there is no source, or a weight is not above 0.

    >>> mixture = DataMixture({"wikipedia": 3, "shakespeare": 1})
    >>> [next(mixture) for _ in range(4)]
    ['wikipedia', 'wikipedia', 'shakespeare', 'wikipedia']
    >>> mixture.taken
    {'wikipedia': 3, 'shakespeare': 1}
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
        weights: Weight of each source in the mixture.
        sizes: Number of tokens of each source.
        total: Number of tokens in the run.

    Source: Muennighoff et al., Scaling Data-Constrained Language Models,
    https://arxiv.org/abs/2305.16264

    >>> passes(
    ...     {"wikipedia": 3, "shakespeare": 1},
    ...     {"wikipedia": 600, "shakespeare": 100},
    ...     total=1200,
    ... )
    {'wikipedia': 1.5, 'shakespeare': 3.0}
    """
    shares = DataMixture(weights).shares
    return {name: total * share / sizes[name] for name, share in shares.items()}
