"""Data mixtures: sources in given proportions, in a deterministic order."""

import math
from collections.abc import Iterator, Mapping


class DataMixture:
    """An endless iterator over the names of sources in proportion to their weights."""

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
        """Continue from where `state_dict` was called."""
        if list(state["taken"]) != list(self.taken):
            raise ValueError(
                f"The state is of the sources {list(state['taken'])}, and these are "
                f"{list(self.taken)}."
            )
        self.taken = dict(state["taken"])


def passes(
    weights: Mapping[str, float | int], sizes: Mapping[str, int], total: int
) -> dict[str, float]:
    """Return the number of epochs over each source in a run.

    Source: Muennighoff et al., Scaling Data-Constrained Language Models,
        https://arxiv.org/abs/2305.16264
    """
    shares = DataMixture(weights).shares
    return {name: total * share / sizes[name] for name, share in shares.items()}
