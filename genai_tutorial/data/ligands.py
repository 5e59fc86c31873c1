"""Small molecules in space: the ideal coordinates of the Chemical Component Dictionary,
read from the file that comes with biotite.

The dictionary describes every kind of molecule in the Protein Data Bank. Hydrogens are
left out here: their positions follow from those of the heavy atoms.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from genai_tutorial.runtime import cached, require

HEAVY_ELEMENTS = ("C", "N", "O", "F", "S", "P", "Cl", "Br")
"""The elements of the molecules, besides hydrogen; a molecule holds their indices."""

FEWEST_ATOMS, MOST_ATOMS = 4, 12
"""The range of the numbers of heavy atoms."""

CLOSEST = 0.9
"""Molecules with two heavy atoms closer than this, in ångström, are left out."""

_ORDERS = {"SING": 1, "DOUB": 2, "TRIP": 3, "QUAD": 1, "AROM": 1, "?": 1, "": 1}

HELD_OUT = 200
"""The minimum number of held-out molecules; the last bond graph may add a few more."""


@dataclass(frozen=True)
class Ligand:
    """A molecule without its hydrogens.

    Attributes:
        name: Its code in the dictionary, such as "ALA" for alanine.
        elements: Indices into `HEAVY_ELEMENTS`.
        positions: In ångström, with their mean at the origin.
        bonds: The two atoms of each bond.
        orders: 1, 2 or 3 for a single, double or triple bond; rings alternate.
        charges: The formal charge of each atom.
    """

    name: str
    elements: Int[Tensor, " atom"]
    positions: Float[Tensor, "atom 3"]
    bonds: Int[Tensor, "bond 2"]
    orders: Int[Tensor, " bond"]
    charges: Int[Tensor, " atom"]

    def __len__(self) -> int:
        return len(self.elements)

    @property
    def symbols(self) -> tuple[str, ...]:
        """The elements as symbols."""
        return tuple(HEAVY_ELEMENTS[index] for index in self.elements.tolist())


def load_ligands(max_atoms: int = 9) -> tuple[Ligand, ...]:
    """Load the molecules of 4 to `max_atoms` heavy atoms.

    Obsolete entries, entries without complete ideal coordinates and entries with other
    elements are left out.

    Raises:
        ValueError: If `max_atoms` is not from 4 to 12.
        ImportError: If biotite is not installed.

    >>> alanine = next(ligand for ligand in load_ligands() if ligand.name == "ALA")
    >>> alanine.symbols
    ('N', 'C', 'C', 'O', 'C', 'O')
    """
    if not FEWEST_ATOMS <= max_atoms <= MOST_ATOMS:
        raise ValueError(
            f"max_atoms must be from {FEWEST_ATOMS} to {MOST_ATOMS}, got {max_atoms}."
        )
    version = require("biotite", extra="science").__version__
    arrays = cached("ligands", _build, version=version)
    atoms, bonds = arrays["atoms"].tolist(), torch.from_numpy(arrays["bonds"]).long()
    parts = zip(
        arrays["names"].tolist(),
        torch.from_numpy(arrays["elements"]).long().split(atoms),
        torch.from_numpy(arrays["positions"]).split(atoms),
        torch.from_numpy(arrays["charges"]).long().split(atoms),
        bonds.split(arrays["bond_counts"].tolist()),
        strict=True,
    )
    return tuple(
        Ligand(name, elements, positions, bonds[:, :2], bonds[:, 2], charges)
        for name, elements, positions, charges, bonds in parts
        if len(elements) <= max_atoms
    )


def load_ligand_split(
    max_atoms: int = 9,
) -> tuple[tuple[Ligand, ...], tuple[Ligand, ...]]:
    """Return the training molecules and about 200 held-out ones, with no bond graph in
    common.

    Mirror images and ring forms of the same sugar are separate entries, so a split by
    entry would leak molecules.

    Raises:
        ValueError: If `max_atoms` is not from 4 to 12.
        ImportError: If biotite is not installed.
    """
    graphs: dict[str, list[Ligand]] = {}
    for ligand in load_ligands(max_atoms):
        graphs.setdefault(graph_key(ligand.symbols, ligand.bonds), []).append(ligand)
    keys = sorted(graphs)
    order = torch.randperm(len(keys), generator=torch.Generator().manual_seed(29))
    train, held_out = [], []
    for index in order.tolist():
        part = held_out if len(held_out) < HELD_OUT else train
        part += graphs[keys[index]]
    return tuple(train), tuple(held_out)


def graph_key(symbols: Sequence[str], bonds: Int[Tensor, "bond 2"]) -> str:
    """Return a hash of a bond graph that does not depend on the order of the atoms.

    Each atom's label is hashed with those of its neighbours, as many times as there are
    atoms. Different graphs of so few atoms rarely have the same key.

    Args:
        symbols: The element of each atom.
        bonds: The two atoms of each bond.

    Source: Shervashidze et al., Weisfeiler-Lehman Graph Kernels, algorithm 1,
        https://www.jmlr.org/papers/v12/shervashidze11a.html

    >>> graph_key("CCO", torch.tensor([[0, 1], [1, 2]])) == graph_key(
    ...     "OCC", torch.tensor([[0, 1], [2, 1]])
    ... )
    True
    """
    neighbours: list[list[int]] = [[] for _ in symbols]
    for first, second in bonds.tolist():
        neighbours[first].append(second)
        neighbours[second].append(first)
    labels = list(symbols)
    for _ in symbols:
        labels = [
            _hashed(label, *sorted(labels[neighbour] for neighbour in around))
            for label, around in zip(labels, neighbours, strict=True)
        ]
    return _hashed(*sorted(labels))


def _hashed(*labels: str) -> str:
    return hashlib.sha256(" ".join(labels).encode()).hexdigest()[:16]


def _build() -> dict[str, np.ndarray]:
    dictionary = require("biotite.structure.info", extra="science").get_ccd()
    components, atoms = dictionary["chem_comp"], dictionary["chem_comp_atom"]
    is_released = _column(components, "pdbx_release_status") == "REL"
    released = set(_column(components, "id")[is_released])
    owners = _column(atoms, "comp_id")
    symbols, names = _column(atoms, "type_symbol"), _column(atoms, "atom_id")
    charges = atoms["charge"].as_array(int, masked_value=0)
    positions = np.stack(
        [
            atoms[f"pdbx_model_Cartn_{axis}_ideal"].as_array(float, masked_value=np.nan)
            for axis in "xyz"
        ],
        axis=1,
    )
    bonds = _bonds_by_owner(dictionary["chem_comp_bond"])
    codes = {symbol.upper(): code for code, symbol in enumerate(HEAVY_ELEMENTS)}
    kept = []
    borders = np.flatnonzero(owners[1:] != owners[:-1]) + 1
    for start, end in zip([0, *borders], [*borders, len(owners)], strict=True):
        heavy = start + np.flatnonzero(~np.isin(symbols[start:end], ["H", "D"]))
        place = positions[heavy]
        if (
            not FEWEST_ATOMS <= len(heavy) <= MOST_ATOMS
            or owners[start] not in released
            or not all(symbol in codes for symbol in symbols[heavy])
            or not np.isfinite(place).all()
        ):
            continue
        distances = np.linalg.norm(place[:, None] - place, axis=-1)
        if (distances + np.eye(len(heavy)) * CLOSEST).min() < CLOSEST:
            continue
        index = {name: number for number, name in enumerate(names[heavy])}
        pairs = [
            (index[first], index[second], order)
            for first, second, order in bonds.get(owners[start], ())
            if first in index and second in index
        ]
        elements = [codes[symbol] for symbol in symbols[heavy]]
        centred = place - place.mean(axis=0)
        kept.append((owners[start], elements, centred, charges[heavy], pairs))
    kept.sort(key=lambda molecule: molecule[0])
    names, elements, places, charges, pairs = zip(*kept, strict=True)
    return {
        "names": np.array(names),
        "atoms": np.array([len(row) for row in elements]),
        "elements": np.concatenate(elements),
        "positions": np.concatenate(places, dtype="f4"),
        "charges": np.concatenate(charges),
        "bond_counts": np.array([len(row) for row in pairs]),
        "bonds": np.concatenate([row for row in pairs if row]),
    }


def _column(category, name: str) -> np.ndarray:
    return category[name].as_array(str)


def _bonds_by_owner(category) -> dict[str, list[tuple[str, str, int]]]:
    bonds: dict[str, list[tuple[str, str, int]]] = {}
    names = ("comp_id", "atom_id_1", "atom_id_2", "value_order")
    columns = (_column(category, name) for name in names)
    for owner, first, second, order in zip(*columns, strict=True):
        bonds.setdefault(owner, []).append((first, second, _ORDERS[order]))
    return bonds
