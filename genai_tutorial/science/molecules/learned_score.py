"""A property learned from a few measured molecules, and an ensemble whose members
disagree far from those molecules.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from .properties import fingerprint_counts
from .scores import valid_scores


@dataclass(frozen=True)
class FingerprintRidge:
    """Ridge regression on fingerprint counts, in closed form.

    Attributes:
        weights: The weight of each bit of a fingerprint.
        intercept: The prediction for a fingerprint of zeros.
    """

    weights: Float[Tensor, " bit"]
    intercept: float

    @classmethod
    def fit(
        cls,
        molecules: Sequence[str],
        values: Sequence[float],
        penalty: float | int = 10.0,
    ) -> "FingerprintRidge":
        """Return the weights that minimize the squared error plus `penalty` times the
        squared weights.

        Raises:
            ValueError: If there are no molecules, their number is not that of the
                values, or the penalty is not above 0.
        """
        if not molecules or len(molecules) != len(values):
            raise ValueError(
                "There must be a value for each molecule, and at least one; got "
                f"{len(molecules)} molecules and {len(values)} values."
            )
        if not penalty > 0:
            raise ValueError(f"penalty must be above 0, got {penalty}.")
        counts = fingerprint_counts(molecules).double()
        targets = torch.tensor(list(values), dtype=torch.float64)
        mean, middle = counts.mean(dim=0), targets.mean()
        centred = counts - mean
        gram = centred.T @ centred + penalty * torch.eye(len(mean), dtype=torch.float64)
        weights = torch.linalg.solve(gram, centred.T @ (targets - middle))
        return cls(weights.float(), float(middle - mean @ weights))

    def predict(self, molecules: Sequence[str]) -> Float[Tensor, "molecule"]:
        """Return the predicted value of each molecule.

        Raises:
            ValueError: If a string is no molecule.
        """
        counts = fingerprint_counts(molecules, len(self.weights))
        return counts @ self.weights + self.intercept

    def __call__(self, samples: Sequence[str]) -> Float[Tensor, "molecule"]:
        """Score strings by the prediction, at least 0."""
        return valid_scores(samples, lambda valid: self.predict(valid).clamp(min=0))


@dataclass(frozen=True)
class RidgeEnsemble:
    """Several regressions, each fitted to a bootstrap sample of the molecules. They
    agree where there are data.

    Attributes:
        penalty: The number of standard deviations of the members that are subtracted
            from their mean.
    """

    members: tuple[FingerprintRidge, ...]
    penalty: float | int = 1.0

    @classmethod
    def fit(
        cls,
        molecules: Sequence[str],
        values: Sequence[float],
        *,
        size: int = 5,
        penalty: float | int = 1.0,
        seed: int = 0,
    ) -> "RidgeEnsemble":
        """Fit `size` members to molecules drawn with replacement.

        Raises:
            ValueError: If there are fewer than two members, or the molecules and values
                cannot be fitted.
        """
        if size < 2:
            raise ValueError(f"size must be at least 2, got {size}.")
        generator = torch.Generator().manual_seed(seed)
        draws = torch.randint(
            len(molecules), (size, len(molecules)), generator=generator
        ).tolist()
        members = (
            FingerprintRidge.fit(
                [molecules[i] for i in rows], [values[i] for i in rows]
            )
            for rows in draws
        )
        return cls(tuple(members), penalty)

    def predictions(self, molecules: Sequence[str]) -> Float[Tensor, "member molecule"]:
        """Return every member's prediction for each molecule."""
        return torch.stack([member.predict(molecules) for member in self.members])

    def __call__(self, samples: Sequence[str]) -> Float[Tensor, "molecule"]:
        """Score strings by the mean minus the weighted disagreement, at least 0."""

        def cautious(valid: list[str]) -> Tensor:
            predictions = self.predictions(valid)
            lower = predictions.mean(dim=0) - self.penalty * predictions.std(dim=0)
            return lower.clamp(min=0)

        return valid_scores(samples, cautious)
