"""Descriptors of peptides: charge, hydrophobicity, and the hydrophobic moment, which
depends on the order of the residues.

An antimicrobial peptide is often a helix with a hydrophobic and a charged side. Charge
and hydrophobicity are sums over residues, so shuffling does not change them. The moment
is large only if the hydrophobic residues lie on one side of the helix.
"""

import math

from genai_tutorial.data import AMINO_ACIDS

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

HELIX_ANGLE = 100.0
"""Degrees from one residue of an alpha helix to the next."""


def charge(sequence: str, ph: float | int = 7.4) -> float:
    """Return a peptide's net charge, in elementary charges."""
    _check(sequence)
    positive = [
        AMINO_END,
        *(BASES[residue] for residue in sequence if residue in BASES),
    ]
    negative = [
        CARBOXYL_END,
        *(ACIDS[residue] for residue in sequence if residue in ACIDS),
    ]
    return sum(1 / (1 + 10 ** (ph - pka)) for pka in positive) - sum(
        1 / (1 + 10 ** (pka - ph)) for pka in negative
    )


def hydrophobicity(sequence: str) -> float:
    """Return the mean hydrophobicity of a peptide's residues."""
    _check(sequence)
    return sum(HYDROPHOBICITY[residue] for residue in sequence) / len(sequence)


def hydrophobic_moment(sequence: str, angle: float | int = HELIX_ANGLE) -> float:
    """Return the length of the mean of the residues' hydrophobicities as arrows, each
    turned by `angle` degrees against the one before.

    Source: Eisenberg, Weiss and Terwilliger, The helical hydrophobic moment, equation
        1, https://doi.org/10.1038/299371a0
    """
    _check(sequence)
    values = [HYDROPHOBICITY[residue] for residue in sequence]
    turns = [math.radians(angle) * place for place in range(len(values))]
    x = sum(value * math.cos(turn) for value, turn in zip(values, turns, strict=True))
    y = sum(value * math.sin(turn) for value, turn in zip(values, turns, strict=True))
    return math.hypot(x, y) / len(values)


def _check(sequence: str) -> None:
    unknown = set(sequence) - set(AMINO_ACIDS)
    if not sequence or unknown:
        raise ValueError(
            f"A peptide is written with the letters {AMINO_ACIDS}, got {sequence!r}."
        )
