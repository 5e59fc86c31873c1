"""Small organic molecules as SMILES strings, read from two files in RDKit's package.

A SMILES string spells a molecule as a walk along its bonds: `CCO` is ethanol, brackets
are branches, and equal digits close a ring. RDKit writes each molecule in one canonical
form, so that equal molecules are equal strings.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from genai_tutorial.runtime import cached, require

ELEMENTS = frozenset({"C", "N", "O", "F", "S", "P", "Cl", "Br"})
"""Molecules with other elements are left out."""

FEWEST_ATOMS, MOST_ATOMS = 5, 40
"""The number of heavy atoms (all but hydrogen) that a molecule has."""

HELD_OUT = 1_000
"""The number of held-out molecules."""


def load_molecules() -> tuple[str, ...]:
    """Load the canonical SMILES of all molecules, each once.

    Salts are reduced to their largest fragment. Stereochemistry is removed: the strings
    say which atoms are bonded, not which hand they form.

    Raises:
        ImportError: If RDKit is not installed.

    >>> load_molecules()[0]
    'CC1=CC(=O)C=CC1=O'
    """
    version = require("rdkit", extra="science").__version__
    return tuple(cached("molecules", _build, version=version)["smiles"].tolist())


def load_drug_likeness() -> dict[str, float]:
    """Load the quantitative estimate of drug-likeness (QED) of all molecules, from 0 to
    1, by canonical SMILES.

    RDKit computes it from the structure; nobody measured it.

    Raises:
        ImportError: If RDKit is not installed.

    Source: Bickerton et al., Quantifying the chemical beauty of drugs, equation 2,
        https://doi.org/10.1038/nchem.1243
    """
    version = require("rdkit", extra="science").__version__
    arrays = cached("molecules-qed", _build_drug_likeness, version=version)
    return dict(zip(load_molecules(), arrays["qed"].tolist(), strict=True))


def load_molecule_split() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the training molecules and the held-out ones, drawn at random.

    A held-out molecule may have close relatives among the training molecules: the files
    contain series of similar compounds.

    Raises:
        ImportError: If RDKit is not installed.
    """
    molecules = load_molecules()
    generator = torch.Generator().manual_seed(29)
    order = torch.randperm(len(molecules), generator=generator).tolist()
    shuffled = tuple(molecules[place] for place in order)
    return shuffled[HELD_OUT:], shuffled[:HELD_OUT]


def standardize_smiles(smiles: str) -> str | None:
    """Return the canonical SMILES of a molecule's largest fragment without
    stereochemistry, or None if it is not a molecule of this data set.
    """
    chem = require("rdkit.Chem", extra="science")
    # RDKit reports each string that it cannot read; BlockLogs keeps that quiet.
    with require("rdkit.rdBase", extra="science").BlockLogs():
        molecule = chem.MolFromSmiles(smiles)
    fragments = () if molecule is None else chem.GetMolFrags(molecule, asMols=True)
    if not fragments:
        return None
    largest = max(fragments, key=lambda fragment: fragment.GetNumHeavyAtoms())
    if not FEWEST_ATOMS <= largest.GetNumHeavyAtoms() <= MOST_ATOMS:
        return None
    atoms = list(largest.GetAtoms())
    if any(atom.GetSymbol() not in ELEMENTS or atom.GetIsotope() for atom in atoms):
        return None
    chem.RemoveStereochemistry(largest)
    return chem.MolToSmiles(largest)


def _build() -> dict[str, np.ndarray]:
    folder = Path(require("rdkit.RDConfig", extra="science").RDDataDir)
    molecules = (standardize_smiles(smiles) for smiles in _strings(folder))
    return {"smiles": np.array([*dict.fromkeys(filter(None, molecules))])}


def _build_drug_likeness() -> dict[str, np.ndarray]:
    chem = require("rdkit.Chem", extra="science")
    qed = require("rdkit.Chem.QED", extra="science").qed
    values = [qed(chem.MolFromSmiles(smiles)) for smiles in load_molecules()]
    return {"qed": np.array(values)}


def _strings(folder: Path) -> Iterator[str]:
    with (folder / "NCI" / "first_5K.smi").open(encoding="utf-8") as file:
        yield from (line.split()[0] for line in file if line.strip())
    path = folder / "Pains" / "test_data" / "wehi_mols.csv"
    with path.open(encoding="utf-8", newline="") as file:
        yield from (row[0] for row in csv.reader(file) if row)
