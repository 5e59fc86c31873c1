"""Molecules by RDKit: canonical SMILES, properties, and fingerprints, which list the
small neighbourhoods of atoms that a molecule has.
"""

import pickle
from collections.abc import Sequence
from functools import cache, lru_cache
from gzip import GzipFile
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.runtime import require

EXTRA = "science"

LONGEST_SMILES = 5_000

RADIUS = 2
"""The number of bonds from an atom to the edge of its neighbourhood."""

BITS = 1024
"""The length of a fingerprint, into which neighbourhoods are hashed."""


def canonical_smiles(smiles: str) -> str | None:
    """Return the canonical SMILES of a molecule, or None if the string is no molecule.

    Raises:
        ImportError: If RDKit is not installed; the message gives the command to install
            it.
        ValueError: If the string has more than 5,000 characters.

    >>> canonical_smiles("OCC"), canonical_smiles("C1CC")  # an open ring
    ('CCO', None)
    """
    molecule = _parsed(smiles)
    chem = require("rdkit.Chem", EXTRA)
    return None if molecule is None else chem.MolToSmiles(molecule)


def qed(smiles: str) -> float:
    """Return the quantitative estimate of drug-likeness, from 0 to 1.

    It combines eight properties, such as the molecular weight and the number of rings,
    by how common their values are among approved drugs.

    Raises:
        ValueError: If the string is no molecule.

    Source: Bickerton et al., Quantifying the chemical beauty of drugs, equation 2,
        https://doi.org/10.1038/nchem.1243

    >>> qed("CC(=O)Oc1ccccc1C(=O)O") > qed("CCCCCCCCCCCCCCCC")  # aspirin and a wax
    True
    """
    return float(require("rdkit.Chem.QED", EXTRA).qed(parse_smiles(smiles)))


def log_p(smiles: str) -> float:
    """Return Crippen's estimate of the logarithm of the partition coefficient between
    octanol and water: high for greasy molecules.

    Raises:
        ValueError: If the string is no molecule.

    Source: Wildman and Crippen, Prediction of Physicochemical Parameters by Atomic
        Contributions, https://doi.org/10.1021/ci990307l

    >>> log_p("CCCCCCCC") > log_p("CCO")
    True
    """
    return float(require("rdkit.Chem.Crippen", EXTRA).MolLogP(parse_smiles(smiles)))


def synthetic_accessibility(smiles: str) -> float:
    """Return the synthetic accessibility score, from 1 (easy) to 10 (hard).

    Source: Ertl and Schuffenhauer, Estimation of synthetic accessibility score of
        drug-like molecules, https://doi.org/10.1186/1758-2946-1-8
    """
    return float(_sa_scorer().calculateScore(parse_smiles(smiles)))


def murcko_scaffold(smiles: str) -> str:
    """Return the Murcko scaffold: a molecule's rings and the chains between them, as
    SMILES; an empty string where there is no ring.

    Raises:
        ValueError: If the string is no molecule.

    Source: Bemis and Murcko, The Properties of Known Drugs,
        https://doi.org/10.1021/jm9602928

    >>> murcko_scaffold("Cc1ccccc1CC"), murcko_scaffold("CCO")
    ('c1ccccc1', '')
    """
    scaffolds = require("rdkit.Chem.Scaffolds.MurckoScaffold", EXTRA)
    return scaffolds.MurckoScaffoldSmiles(mol=parse_smiles(smiles))


def parse_smiles(smiles: str) -> Any:
    """Return RDKit's molecule of a string, which must not be changed."""
    molecule = _parsed(smiles)
    if molecule is None:
        raise ValueError(
            f"{smiles!r} is no molecule: check it with canonical_smiles first, which "
            "returns None for such a string."
        )
    return molecule


@lru_cache(maxsize=20_000)
def _parsed(smiles: str) -> Any:
    if not smiles:  # RDKit reads an empty string as a molecule without atoms
        return None
    if len(smiles) > LONGEST_SMILES:  # RDKit's time grows with the square
        raise ValueError(
            f"A SMILES string may have {LONGEST_SMILES:,} characters, got "
            f"{len(smiles):,}."
        )
    chem = require("rdkit.Chem", EXTRA)
    # RDKit reports each string that it cannot read; BlockLogs keeps that quiet.
    with require("rdkit.rdBase", EXTRA).BlockLogs():
        return chem.MolFromSmiles(smiles)


def tanimoto_similarities(
    molecules: Sequence[str], reference: Sequence[str]
) -> Float[Tensor, "molecule reference"]:
    """Return the Tanimoto similarity of each pair: the number of neighbourhoods that
    both have, as a share of those that at least one has.

    Source: Rogers and Hahn, Extended-Connectivity Fingerprints,
        https://doi.org/10.1021/ci100050t
    """
    bulk = require("rdkit.DataStructs", EXTRA).BulkTanimotoSimilarity
    others = [_fingerprint(smiles) for smiles in reference]
    rows = [bulk(_fingerprint(smiles), others) for smiles in molecules]
    return torch.tensor(rows, dtype=torch.float32).reshape(len(molecules), len(others))


@lru_cache(maxsize=20_000)
def _fingerprint(smiles: str) -> Any:
    return _generator().GetFingerprint(parse_smiles(smiles))


@cache
def _generator() -> Any:
    generators = require("rdkit.Chem.rdFingerprintGenerator", EXTRA)
    return generators.GetMorganGenerator(radius=RADIUS, fpSize=BITS)


class _NumbersOnly(pickle.Unpickler):
    """Reads lists of numbers, and refuses a file that names a class or a function."""

    def find_class(self, module: str, name: str) -> Any:
        raise ValueError(f"The file may hold numbers only, not {module}.{name}.")


@cache
def _sa_scorer() -> ModuleType:
    """Return RDKit's contributed module, with its table of fragments."""
    config = require("rdkit.RDConfig", EXTRA)
    folder = Path(config.RDContribDir) / "SA_Score"
    spec = spec_from_file_location("sascorer", folder / "sascorer.py")
    scorer = module_from_spec(spec)
    spec.loader.exec_module(scorer)
    with GzipFile(folder / "fpscores.pkl.gz") as file:
        table = _NumbersOnly(file).load()
    scorer._fscores = {
        number: float(score) for score, *numbers in table for number in numbers
    }
    return scorer
