"""The bond graphs of molecules as tables: how each pair of atoms is related."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from genai_tutorial.data import Ligand

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
        mask: Whether a row is an atom.
    """

    elements: Int[Tensor, "batch atom"]
    relations: Int[Tensor, "batch atom atom"]
    mask: Bool[Tensor, "batch atom"]

    def repeated(self, times: int) -> "Graphs":
        """Return each molecule several times, one copy after the other."""
        return Graphs(*(tensor.repeat_interleave(times, dim=0) for tensor in self))


def to_graphs(molecules: Sequence[Ligand]) -> Graphs:
    """Return the graphs of molecules, padded to the largest one.

    Raises:
        ValueError: If there are no molecules.
    """
    if not molecules:
        raise ValueError("There are no molecules: give at least one.")
    largest = max(len(molecule) for molecule in molecules)
    elements = torch.zeros(len(molecules), largest, dtype=torch.long)
    relations = torch.full((len(molecules), largest, largest), RELATIONS - 1)
    mask = torch.zeros(len(molecules), largest, dtype=torch.bool)
    for row, molecule in enumerate(molecules):
        count = len(molecule)
        elements[row, :count] = molecule.elements
        relations[row, :count, :count] = _relations(molecule)
        mask[row, :count] = True
    return Graphs(elements, relations, mask)


def to_positions(molecules: Sequence[Ligand]) -> Float[Tensor, "batch atom 3"]:
    """Return the positions of molecules in ångström, padded with zeros to the largest
    one: the targets for `to_graphs`.

    Raises:
        ValueError: If there are no molecules.
    """
    if not molecules:
        raise ValueError("There are no molecules: give at least one.")
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
