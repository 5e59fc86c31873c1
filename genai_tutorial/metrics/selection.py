"""The winner's curse: the best of many on a few items is not as good as it looked."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool
from torch import Tensor


@dataclass(frozen=True)
class WinnersCurse:
    """Accuracies of a choice among candidates, averaged over random splits.

    Attributes:
        promised: Accuracy of the chosen candidate on the items it was chosen by.
        held_out: Its accuracy on the other items.
        average: Accuracy of all candidates on the other items: what a choice by chance
            gives.
        best: Accuracy on the other items of the candidate that is best on them.
    """

    promised: float
    held_out: float
    average: float
    best: float

    @property
    def gap(self) -> float:
        """How much worse the chosen candidate is than it looked."""
        return self.promised - self.held_out


def winners_curse(
    right: Bool[Tensor, "candidate item"],
    development: int,
    splits: int = 2000,
    seed: int = 0,
) -> WinnersCurse:
    """Choose the best candidate on some of the items and judge it on the others, for
    many random splits of the items.

    Candidates with equal scores are chosen among by chance. The chosen one's score is
    too high on average, because it was chosen for its luck as well as for its quality.

    Args:
        right: Whether each candidate got each item right.
        development: The number of items that the choice is based on.
        splits: The number of random splits.
        seed: Seed of the splits.

    Raises:
        ValueError: If there is no candidate, there is no item on one side of the split,
            or `splits` is below 1.

    Source: Thaler (1988), Anomalies: The Winner's Curse,
        https://doi.org/10.1257/jep.2.1.191

    >>> coins = torch.rand(20, 100, generator=torch.Generator().manual_seed(0)) < 0.5
    >>> curse = winners_curse(coins, development=10)
    >>> curse.promised > 0.75, curse.held_out < 0.6
    (True, True)
    """
    candidates, items = right.shape
    if candidates < 1 or not 1 <= development < items or splits < 1:
        raise ValueError(
            "There must be a candidate, a split, and at least one item on both sides; "
            f"got {candidates} candidates, {splits} splits, and {development} of "
            f"{items} items to choose by."
        )
    right = right.cpu()  # small, and the generator draws there
    generator = torch.Generator().manual_seed(seed)
    sums = torch.zeros(4, dtype=torch.float64)
    for _ in range(splits):
        order = torch.randperm(items, generator=generator)
        scores = right[:, order[:development]].double().mean(dim=1)
        held_out = right[:, order[development:]].double().mean(dim=1)
        ties = torch.rand(candidates, generator=generator) / items**2
        chosen = int((scores + ties).argmax())
        sums += torch.stack(
            [scores[chosen], held_out[chosen], held_out.mean(), held_out.max()]
        )
    return WinnersCurse(*(sums / splits).tolist())
