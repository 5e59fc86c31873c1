"""Molecules as tables for a network: how each pair of atoms is related, and on which
side of a centre its neighbours are.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from genai_tutorial.data import Ligand

from .diffusion import Geometry
from .judge import bond_pairs

BONDED, FAR = 3, 8  # orders of bonds, and numbers of bonds that are told apart
RELATIONS = BONDED + FAR + 1
"""The number of ways in which two atoms are related: the same atom, bonds of order 1 to
3, and 2 to 9 or more bonds apart.
"""


class Graphs(NamedTuple):
    """The elements and bonds of molecules, known before their atoms are placed.

    Attributes:
        elements: Indices into `HEAVY_ELEMENTS`, 0 for padding.
        relations: For each pair of atoms: 0 for the same atom, the order of a bond, or
            2 more than the number of bonds between them.
        mask: True for rows that are atoms.
    """

    elements: Int[Tensor, "batch atom"]
    relations: Int[Tensor, "batch atom atom"]
    mask: Bool[Tensor, "batch atom"]

    def repeated(self, times: int) -> "Graphs":
        """Return each molecule several times, one copy after the other."""
        return Graphs(*(tensor.repeat_interleave(times, dim=0) for tensor in self))


def to_graphs(molecules: Sequence[Ligand]) -> Graphs:
    """Return the graphs of molecules, padded to the largest one."""
    sizes = torch.tensor([len(molecule) for molecule in molecules])
    largest = int(sizes.max())
    relations = torch.full((len(molecules), largest, largest), RELATIONS - 1)
    for row, molecule in enumerate(molecules):
        relations[row, : len(molecule), : len(molecule)] = _relations(molecule)
    elements = pad_sequence([each.elements for each in molecules], batch_first=True)
    return Graphs(elements, relations, torch.arange(largest) < sizes[:, None])


def to_positions(molecules: Sequence[Ligand]) -> Float[Tensor, "batch atom 3"]:
    """Return the positions of molecules in ångström, padded with zeros to the largest
    one: the targets for `to_graphs`.
    """
    return pad_sequence([molecule.positions for molecule in molecules], True)


def _relations(molecule: Ligand) -> Int[Tensor, "atom atom"]:
    """Return the relation of each pair of atoms, counting bonds by matrix products."""
    count = len(molecule)
    first, second = molecule.bonds.T
    bonded = torch.zeros(count, count)
    bonded[first, second] = bonded[second, first] = 1
    relations = torch.full((count, count), RELATIONS - 1)
    reached = torch.eye(count)
    for apart in range(1, FAR + 1):
        further = ((reached @ bonded + reached) > 0).float()
        relations[(further > reached)] = min(apart + 2, RELATIONS - 1)
        reached = further
    relations[first, second] = relations[second, first] = molecule.orders
    return relations.fill_diagonal_(0)


FLAT = 0.5
"""Triple products smaller than this, in cubic ångström, count as flat."""


def handedness(
    center: Float[Tensor, "*batch 3"],
    first: Float[Tensor, "*batch 3"],
    second: Float[Tensor, "*batch 3"],
    third: Float[Tensor, "*batch 3"],
) -> Int[Tensor, "*batch"]:
    """Return 1 or -1 for the two mirror images of an atom's neighbours, 0 if flat."""
    bonds = torch.stack([first - center, second - center, third - center], dim=-2)
    volume = torch.linalg.det(bonds)
    return torch.where(volume.abs() < FLAT, 0, volume.sign()).long()


def alpha_carbon_hands(molecule: Geometry | Ligand) -> list[int]:
    """Return the hand of each alpha carbon, the atom of an amino acid that is bonded to
    a nitrogen, to a carbon with two oxygens, and to its side chain: 1 for L, the hand
    of nearly all amino acids in living things, and -1 for D.

    Flat ones, such as in rings with double bonds, are left out.
    """
    symbols = molecule.symbols
    neighbours: list[list[int]] = [[] for _ in symbols]
    for first, second in bond_pairs(molecule).tolist():
        neighbours[first].append(second)
        neighbours[second].append(first)

    def is_carboxyl(atom: int) -> bool:
        around = [symbols[neighbour] for neighbour in neighbours[atom]]
        return symbols[atom] == "C" and len(around) == 3 and around.count("O") == 2

    hands = []
    for center, around in enumerate(neighbours):
        nitrogens = [atom for atom in around if symbols[atom] == "N"]
        carboxyls = [atom for atom in around if is_carboxyl(atom)]
        chains = [atom for atom in around if atom not in (*nitrogens, *carboxyls)]
        numbers = len(nitrogens), len(carboxyls), len(chains)
        if symbols[center] == "C" and numbers == (1, 1, 1):
            places = molecule.positions[[center, *nitrogens, *carboxyls, *chains]]
            hands.append(handedness(*places).item())
    return [hand for hand in hands if hand]
