"""Fingerprints: which small neighbourhoods of atoms a molecule has, and how many two
molecules share.
"""

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.runtime import require

from .properties import EXTRA, parse_smiles

RADIUS = 2
"""The number of bonds from an atom to the edge of its neighbourhood."""

BITS = 1024
"""The length of a fingerprint, into which neighbourhoods are hashed."""


def fingerprint_counts(
    molecules: Sequence[str], bits: int = BITS
) -> Float[Tensor, "molecule bit"]:
    """Return how often each neighbourhood of atoms occurs in each molecule.

    Source: Rogers and Hahn, Extended-Connectivity Fingerprints,
        https://doi.org/10.1021/ci100050t
    """
    counts = [
        _generator(bits).GetCountFingerprintAsNumPy(parse_smiles(smiles))
        for smiles in molecules
    ]
    if not counts:
        return torch.zeros(0, bits)
    return torch.stack([torch.from_numpy(row.astype("float32")) for row in counts])


def tanimoto_similarities(
    molecules: Sequence[str], reference: Sequence[str]
) -> Float[Tensor, "molecule reference"]:
    """Return the Tanimoto similarity of each pair: the number of neighbourhoods that
    both have, as a share of those that at least one has.
    """
    bulk = require("rdkit.DataStructs", EXTRA).BulkTanimotoSimilarity
    others = [_fingerprint(smiles) for smiles in reference]
    rows = [bulk(_fingerprint(smiles), others) for smiles in molecules]
    return torch.tensor(rows, dtype=torch.float32).reshape(len(molecules), len(others))


@lru_cache(maxsize=20_000)
def _fingerprint(smiles: str) -> Any:
    return _generator(BITS).GetFingerprint(parse_smiles(smiles))


@cache
def _generator(bits: int) -> Any:
    generators = require("rdkit.Chem.rdFingerprintGenerator", EXTRA)
    return generators.GetMorganGenerator(radius=RADIUS, fpSize=bits)
