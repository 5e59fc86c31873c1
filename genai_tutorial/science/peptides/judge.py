"""Descriptors of peptides, charge, hydrophobicity and the hydrophobic moment, which
depends on the order of the residues; and a judge that reads them.

An antimicrobial peptide is often a helix with a hydrophobic and a charged side. Charge
and hydrophobicity are sums over residues, so shuffling does not change them. The moment
is large only if the hydrophobic residues lie on one side of the helix.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.data import AMINO_ACIDS, Peptide, sequence_words
from genai_tutorial.metrics import auroc
from genai_tutorial.runtime import require

HYDROPHOBICITY = {
    "A": 0.62, "C": 0.29, "D": -0.9, "E": -0.74, "F": 1.2, "G": 0.48, "H": -0.4,
    "I": 1.4, "K": -1.5, "L": 1.1, "M": 0.64, "N": -0.78, "P": 0.12, "Q": -0.85,
    "R": -2.5, "S": -0.18, "T": -0.05, "V": 1.1, "W": 0.81, "Y": 0.26,
}  # fmt: skip
"""Eisenberg's consensus scale.

Source: Eisenberg et al., Analysis of membrane and surface protein sequences with the
    hydrophobic moment plot, https://doi.org/10.1016/0022-2836(84)90309-7
"""

BASES = {"K": 10.67, "R": 12.10, "H": 6.04}
"""pKa of the residues that are positive at low pH; values of the CRC Handbook, as in
modlamp.
"""

ACIDS = {"D": 3.71, "E": 4.15, "C": 8.14, "Y": 10.10}
"""pKa of the residues that are negative at high pH."""

AMINO_END, CARBOXYL_END = 9.38, 2.15

PH = 7.4

HELIX_ANGLE = 100.0
"""Degrees from one residue of an alpha helix to the next."""


def charge(sequence: str) -> float:
    """Return a peptide's net charge at `PH`, in elementary charges."""
    positive = [AMINO_END, *(BASES[each] for each in sequence if each in BASES)]
    negative = [CARBOXYL_END, *(ACIDS[each] for each in sequence if each in ACIDS)]
    return sum(1 / (1 + 10 ** (PH - pka)) for pka in positive) - sum(
        1 / (1 + 10 ** (pka - PH)) for pka in negative
    )


def hydrophobicity(sequence: str) -> float:
    """Return the mean hydrophobicity of a peptide's residues."""
    return sum(HYDROPHOBICITY[residue] for residue in sequence) / len(sequence)


def hydrophobic_moment(sequence: str) -> float:
    """Return the length of the mean of the residues' hydrophobicities as arrows, each
    turned by `HELIX_ANGLE` against the one before.

    Source: Eisenberg, Weiss and Terwilliger, The helical hydrophobic moment, equation
        1, https://doi.org/10.1038/299371a0
    """
    values = [HYDROPHOBICITY[residue] for residue in sequence]
    turns = [math.radians(HELIX_ANGLE) * place for place in range(len(values))]
    x = sum(value * math.cos(turn) for value, turn in zip(values, turns, strict=True))
    y = sum(value * math.sin(turn) for value, turn in zip(values, turns, strict=True))
    return math.hypot(x, y) / len(values)


STUTTERS = (
    "KLKLKLKLKLKLKLKLKLKL",
    "KLLKKLLKKLLKKLLKKLLK",
    "KKKKKKKKKKKKKKK",
    "RWRWRWRWRWRWRWRW",
    "KKLLKKLLKK",
    "LLLLKKKKLLLLKKKK",
)
"""Sequences typed by hand that no biologist would order."""

_PLACES = {residue: place for place, residue in enumerate(AMINO_ACIDS)}


def composition(sequence: str) -> Float[Tensor, "20"]:
    """Return the share of each amino acid."""
    places = torch.tensor([_PLACES[residue] for residue in sequence])
    return torch.bincount(places, minlength=20) / len(sequence)


def judge_features(sequences: Sequence[str]) -> Float[Tensor, "sequence 423"]:
    """Return what the judge sees: composition, charge, hydrophobic moment,
    hydrophobicity and the share of each pair of neighbours.
    """
    rows = []
    for sequence in sequences:
        if not sequence or not set(sequence) <= set(AMINO_ACIDS):
            raise ValueError(
                f"A peptide is written with the letters {AMINO_ACIDS}, got "
                f"{sequence!r}."
            )
        places = torch.tensor([_PLACES[residue] for residue in sequence])
        pairs = torch.bincount(20 * places[:-1] + places[1:], minlength=400)
        whole = torch.tensor(
            [charge(sequence), hydrophobic_moment(sequence), hydrophobicity(sequence)]
        )
        rows.append(torch.cat([composition(sequence), whole, pairs / len(sequence)]))
    return torch.stack(rows)


@dataclass(frozen=True)
class PeptideJudge:
    """A random forest that tells antimicrobial peptides from others.

    Attributes:
        forest: scikit-learn's classifier.
    """

    forest: Any

    @classmethod
    def train(cls, peptides: Sequence[Peptide], seed: int = 0) -> "PeptideJudge":
        """Train a judge.

        Raises:
            ImportError: If scikit-learn is not installed; the message gives the command
                to install it.
        """
        ensemble = require("sklearn.ensemble", extra="images")
        forest = ensemble.RandomForestClassifier(
            300, min_samples_leaf=2, random_state=seed
        )
        features = judge_features([peptide.sequence for peptide in peptides])
        labels = np.array([peptide.antimicrobial for peptide in peptides])
        return cls(forest.fit(features.numpy(), labels))

    def scores(self, sequences: Sequence[str]) -> Float[Tensor, " sequence"]:
        """Return the judged probability that each sequence is antimicrobial."""
        features = judge_features(sequences).numpy()
        return torch.from_numpy(self.forest.predict_proba(features)[:, 1])

    def auroc(self, peptides: Sequence[Peptide]) -> float:
        """Return the area under the ROC curve, 0.5 for guessing."""
        return auroc(
            self.scores([peptide.sequence for peptide in peptides]).float(),
            torch.tensor([peptide.antimicrobial for peptide in peptides]),
        )


@dataclass(frozen=True)
class PeptideScores:
    """Measurements of a set of sequences.

    Attributes:
        judged_antimicrobial: Share with a judged probability above one half.
        charge: Mean net charge at pH 7.4.
        distinct: Share of different sequences.
        copies: Share that is in the training set.
        nearest_overlap: Mean share of a sequence's 4-mers that the most similar
            training sequence has too.
    """

    count: int
    judged_antimicrobial: float
    charge: float
    hydrophobic_moment: float
    distinct: float
    copies: float
    nearest_overlap: float


def measure_peptides(
    sequences: Sequence[str], judge: PeptideJudge, train: Sequence[Peptide]
) -> PeptideScores:
    """Measure a set of sequences.

    Args:
        sequences: Sampled sequences, real ones or controls.
        judge: Trained on other peptides than the model.
        train: The model's training set.

    Raises:
        ValueError: If there are no sequences.
    """
    if not sequences:
        raise ValueError("There are no sequences to measure: give at least one.")
    known = {peptide.sequence for peptide in train}
    known_words = [sequence_words(sequence) for sequence in known]
    overlaps = []
    for sequence in sequences:
        words = sequence_words(sequence)
        shared = max(len(words & other) for other in known_words)
        overlaps.append(shared / len(words))
    count = len(sequences)
    return PeptideScores(
        count=count,
        judged_antimicrobial=(judge.scores(sequences) > 0.5).double().mean().item(),
        charge=sum(map(charge, sequences)) / count,
        hydrophobic_moment=sum(map(hydrophobic_moment, sequences)) / count,
        distinct=len(set(sequences)) / count,
        copies=sum(sequence in known for sequence in sequences) / count,
        nearest_overlap=sum(overlaps) / count,
    )
