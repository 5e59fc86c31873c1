"""Spot checks: one metric of a model's card, estimated from a small random sample."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, TypeVar

import torch

from genai_tutorial.metrics import Interval, clopper_pearson_interval, t_interval

Item = TypeVar("Item")


@dataclass(frozen=True)
class SpotCheck:
    """A metric of a card, measured item by item on a sample.

    Attributes:
        metric: Its path on the card, such as "facts_completed.told".
        values: Its value on each item, a bool if an item is right or wrong. The metric
            is their mean.
    """

    metric: str
    values: Sequence[float | bool]

    def on_card(self, metrics: Mapping[str, Any]) -> float:
        """Return the value of the metric on the card.

        >>> SpotCheck("facts.told", [True]).on_card({"facts": {"told": 0.9}})
        0.9
        """
        return reduce(lambda part, key: part[key], self.metric.split("."), metrics)

    def interval(self, level: float = 0.999) -> Interval:
        """Return a confidence interval of the metric: Clopper-Pearson's if items are
        right or wrong, Student's otherwise.

        Wilson's interval is too narrow for an accuracy near 1: if that is 0.999, the
        intervals of 97 in 100 samples of 32 contain it, instead of 999 in 1,000.

        >>> print(SpotCheck("accuracy", [True] * 30).interval(level=0.95))
        1.00 (95% interval 0.88 to 1.00)
        """
        if all(isinstance(value, bool) for value in self.values):
            return clopper_pearson_interval(sum(self.values), len(self.values), level)
        return t_interval(self.values, level)


def draw_items(items: Sequence[Item], n: int, seed: int) -> list[Item]:
    """Draw `n` of the items without replacement."""
    if not 1 <= n <= len(items):
        raise ValueError(f"n must be from 1 to {len(items)}, got {n}.")
    order = torch.randperm(len(items), generator=torch.Generator().manual_seed(seed))
    return [items[place] for place in order[:n].tolist()]
