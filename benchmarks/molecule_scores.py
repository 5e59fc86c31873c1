"""Scores that a molecule model hacks, and those that cure it, for molecules.py."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.science.molecules import (
    MoleculeScore,
    log_p,
    nearest_similarities,
    valid_scores,
)

LOG_P_WINDOW = (1.0, 4.0)
"""The range of logP in which `log_p_window` is 1: that of most oral drugs."""


def log_p_score(samples: Sequence[str]) -> Float[Tensor, "molecule"]:
    """Score logP by a sigmoid around 4, from 0 to 1.

    The score never falls again: a molecule with twice the logP of any drug scores
    higher than every drug.

    >>> scores = log_p_score(["CCO", "C" * 30])
    >>> bool(scores[0] < 0.1), bool(scores[1] > 0.9)
    (True, True)
    """
    return valid_scores(samples, lambda valid: [_sigmoid(s) for s in valid])


def log_p_window(samples: Sequence[str]) -> Float[Tensor, "molecule"]:
    """Score whether logP is from 1 to 4: 1 inside, and less by one half for each unit
    outside, down to 0.

    >>> log_p_window(["c1ccccc1C", "C" * 30])  # toluene and a wax
    tensor([1., 0.])
    """
    low, high = LOG_P_WINDOW

    def score(smiles: str) -> float:
        value = log_p(smiles)
        return max(0.0, 1.0 - max(low - value, value - high, 0.0) / 2)

    return valid_scores(samples, lambda valid: [score(smiles) for smiles in valid])


@dataclass(frozen=True)
class ProductScore:
    """The product of several scores: high only where all of them are."""

    scores: tuple[MoleculeScore, ...]

    def __call__(self, samples: Sequence[str]) -> Float[Tensor, "molecule"]:
        """Return the product of the scores of each string."""
        return torch.stack([score(samples) for score in self.scores]).prod(dim=0)


@dataclass(frozen=True)
class NearDataScore:
    """A score that counts only near known molecules.

    Far from the data, a learned score is arbitrary, and so is a formula that was fitted
    to drugs. But a fingerprint without counts does not contain the length of a chain:
    a wax is near the data if any training molecule has a long chain.

    Attributes:
        reference: Canonical SMILES of the known molecules.
        similarity: The lowest Tanimoto similarity to the nearest one; below, the score
            is 0.
    """

    score: MoleculeScore
    reference: tuple[str, ...]
    similarity: float | int = 0.4

    def __post_init__(self):
        if not 0 <= self.similarity <= 1:
            raise ValueError(f"similarity must be from 0 to 1, got {self.similarity}.")

    def __call__(self, samples: Sequence[str]) -> Float[Tensor, "molecule"]:
        """Return the score of each string that is near the data, 0 for the others."""
        near = valid_scores(
            samples,
            lambda valid: (
                nearest_similarities(valid, self.reference) >= self.similarity
            ),
        )
        return near * self.score(samples)


def _sigmoid(smiles: str) -> float:
    return 1 / (1 + exp(-(log_p(smiles) - 4) / 1.5))
