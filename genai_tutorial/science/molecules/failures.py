"""Why a string is not a molecule: RDKit's checks, one after another."""

from collections import Counter
from collections.abc import Iterable
from typing import Literal

from genai_tutorial.runtime import require

from .properties import EXTRA, canonical_smiles

Failure = Literal["valid", "grammar", "aromaticity", "valence"]
"""The outcome of the checks: `grammar` for a ring or a bracket left open, `aromaticity`
for a ring of small letters without an arrangement of double bonds, `valence` for an
atom with too many bonds.
"""

FAILURES: tuple[Failure, ...] = ("valid", "grammar", "aromaticity", "valence")
"""All outcomes, in the order of the checks."""


def smiles_failure(smiles: str) -> Failure:
    """Return the first check that a string does not pass, or `valid`.

    The grammar comes first, then the valence of each atom, then aromatic rings.

    >>> [smiles_failure(s) for s in ("CCO", "C1CC", "C(C)(C)(C)(C)C", "c1cccc1")]
    ['valid', 'grammar', 'valence', 'aromaticity']
    """
    if canonical_smiles(smiles) is not None:
        return "valid"
    chem = require("rdkit.Chem", EXTRA)
    with require("rdkit.rdBase", EXTRA).BlockLogs():
        molecule = chem.MolFromSmiles(smiles, sanitize=False) if smiles else None
        if molecule is None:
            return "grammar"
        problems = chem.DetectChemistryProblems(molecule)
    is_valence = any("Valence" in problem.GetType() for problem in problems)
    return "valence" if is_valence else "aromaticity"


def count_failures(samples: Iterable[str]) -> dict[Failure, int]:
    """Return how many strings have each outcome.

    >>> count_failures(["CCO", "C1CC", "CC"])
    {'valid': 2, 'grammar': 1, 'aromaticity': 0, 'valence': 0}
    """
    counts = Counter(map(smiles_failure, samples))
    return {failure: counts[failure] for failure in FAILURES}
