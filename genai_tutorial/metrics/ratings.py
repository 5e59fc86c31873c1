"""Judgements of raters: the agreement of two of them beyond chance, and the ratings of
systems by votes, with Elo's running update and the Bradley-Terry model.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

_POINTS = 400 / math.log(10)  # Elo points per unit of log-odds
_MEAN = 1000.0
_RIDGE = 1e-6  # keeps a system that never wins at a finite rating
_MOST_STEPS = 100
_Z = 1.959964  # of a 95% interval


def cohen_kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> float:
    r"""Return Cohen's kappa: the agreement of two raters beyond what chance gives.

    $$\kappa = \frac{p_o - p_e}{1 - p_e}$$

    $p_o$ is the share of items with equal labels, and $p_e$ the share that two raters
    with these frequencies of labels would reach if they didn't look at the items. 1 is
    perfect agreement, 0 is chance.

    Raises:
        ValueError: If there are no items, their numbers differ, or both raters give one
            and the same label to all items, where kappa is undefined.

    Source: Cohen (1960), A coefficient of agreement for nominal scales,
        https://doi.org/10.1177/001316446002000104

    >>> cohen_kappa("AAAB", "AABB")
    0.5
    """
    if not first or len(first) != len(second):
        raise ValueError(
            "Both raters must label the same items, at least one; got "
            f"{len(first)} and {len(second)} labels."
        )
    n = len(first)
    observed = sum(a == b for a, b in zip(first, second, strict=True)) / n
    chance = sum(
        sum(a == label for a in first) * sum(b == label for b in second)
        for label in set(first)
    ) / (n * n)
    if chance == 1:
        raise ValueError(
            "Both raters give every item the same label, so chance alone agrees "
            "everywhere and kappa is undefined."
        )
    return (observed - chance) / (1 - chance)


def elo_ratings(
    first: Int[Tensor, "vote"],
    second: Int[Tensor, "vote"],
    won: Float[Tensor, "vote"],
    systems: int,
    k: float | int = 32,
) -> Float[Tensor, "systems"]:
    r"""Return the ratings after all votes, in the order in which they are given.

    Everybody begins at 1,000. After each vote, points go from one to the other:

    $$r_a \leftarrow r_a + K \Bigl(y - \frac{1}{1 + 10^{(r_b - r_a) / 400}}\Bigr)$$

    Args:
        won: 1 if the first system won the vote, 0 if the second, 0.5 for a tie.
        systems: Their number.
        k: The most points that one vote can move.

    Source: Elo (1978), The Rating of Chessplayers, Past and Present.

    >>> elo_ratings(torch.tensor([0]), torch.tensor([1]), torch.ones(1), 2)
    tensor([1016.,  984.], dtype=torch.float64)
    """
    ratings = [_MEAN] * systems
    for a, b, y in zip(first.tolist(), second.tolist(), won.tolist(), strict=True):
        expected = 1 / (1 + 10 ** ((ratings[b] - ratings[a]) / 400))
        ratings[a] += k * (y - expected)
        ratings[b] -= k * (y - expected)
    return torch.tensor(ratings, dtype=torch.float64, device=first.device)


@dataclass(frozen=True)
class BradleyTerry:
    """Fitted strengths of systems, in Elo points with mean 1,000.

    Attributes:
        covariance: Of the ratings, from the curvature of the log-likelihood.
        coefficients: One for each feature, in log-odds per unit.
    """

    ratings: Float[Tensor, "systems"]
    covariance: Float[Tensor, "systems systems"]
    coefficients: Float[Tensor, "features"]

    @property
    def half_widths(self) -> Float[Tensor, "systems"]:
        """Half the widths of the ratings' 95% intervals."""
        return _Z * self.covariance.diagonal().clamp(min=0).sqrt()

    def difference(self, a: int, b: int) -> tuple[float, float]:
        """Return how many points a is above b, and half its 95% interval's width."""
        spread = self.covariance
        variance = float(spread[a, a] + spread[b, b] - 2 * spread[a, b])
        return float(self.ratings[a] - self.ratings[b]), _Z * max(variance, 0.0) ** 0.5


def fit_bradley_terry(
    first: Int[Tensor, "vote"],
    second: Int[Tensor, "vote"],
    won: Float[Tensor, "vote"],
    systems: int,
    features: Float[Tensor, "vote features"] | None = None,
) -> BradleyTerry:
    r"""Fit the Bradley-Terry model to votes by maximum likelihood (Newton's method).

    $$P(a \text{ beats } b) = \sigma\bigl(\theta_a - \theta_b + \beta^\top x\bigr)$$

    It is a logistic regression, so the order of the votes doesn't matter. A ridge of
    1e-6 keeps it finite if a system wins none of its votes or all.

    Args:
        won: 1 if the first system won the vote, 0 if the second, 0.5 for a tie.
        systems: Their number.
        features: The x of each vote, first answer minus second, such as the length in
            "style control".

    Raises:
        ValueError: If there are no votes, a system votes against itself, or a number is
            not that of a system.

    Source: Bradley and Terry (1952), Rank analysis of incomplete block designs,
        https://doi.org/10.2307/2334029

    >>> votes = torch.zeros(4, dtype=torch.long), torch.ones(4, dtype=torch.long)
    >>> fitted = fit_bradley_terry(*votes, torch.tensor([1.0, 1.0, 1.0, 0.0]), 2)
    >>> round(float(fitted.ratings[0] - fitted.ratings[1]), 1)  # 400 log10(3)
    190.8
    """
    named = torch.cat((first, second))
    if not len(first) or named.min() < 0 or named.max() >= systems:
        raise ValueError(
            f"There must be votes between systems 0 to {systems - 1}, got {len(first)} "
            "votes or other numbers."
        )
    if (first == second).any():
        raise ValueError("A vote is between two different systems.")
    design = torch.nn.functional.one_hot(first, systems).double()
    design -= torch.nn.functional.one_hot(second, systems).double()
    if features is not None:
        design = torch.cat((design, features.double()), dim=1)
    ridge = _RIDGE * torch.eye(design.shape[1], dtype=torch.float64)
    ridge = ridge.to(design.device)
    theta = design.new_zeros(design.shape[1])
    for _ in range(_MOST_STEPS):
        p = (design @ theta).sigmoid()
        curvature = (design * (p * (1 - p))[:, None]).T @ design + ridge
        slope = design.T @ (won.double() - p) - ridge @ theta
        step = torch.linalg.solve(curvature, slope)
        theta = theta + step
        if step.abs().max() < 1e-10:
            break
    centre = torch.eye(systems, dtype=torch.float64, device=design.device) - 1 / systems
    # inside the span of the differences: the ridge alone says nothing about the mean
    inverse = torch.linalg.inv(curvature)[:systems, :systems]
    return BradleyTerry(
        _MEAN + _POINTS * (centre @ theta[:systems]),
        _POINTS**2 * centre @ inverse @ centre,
        theta[systems:],
    )
