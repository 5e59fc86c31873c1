"""Mixtures: how often each source is read, in an order that leaves nothing to
chance.
"""

import math
from collections.abc import Iterator, Mapping


class DataMixture:
    """An endless list of the names of sources, each as often as its weight says.

    The next one is always the source that lacks most of its share, so that every
    stretch of the run has the mixture of the whole: no source is ever ahead of its
    share by one. How often each has come is all that there is to remember.

    Args:
        weights: For each source, how much of the mixture it is, in any unit.

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
        """Return what decides all names to come."""
        return {"taken": dict(self.taken)}

    def load_state_dict(self, state: dict) -> None:
        """Goes on from where `state_dict` was called.

        Raises:
            ValueError: If the state is that of other sources.
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
    """Return how often each source is read from end to end in a run; four times teach
    nearly as much as new text.

    Args:
        weights: How much of the mixture each source is.
        sizes: How many tokens each source has.
        total: How many tokens the run reads.

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
