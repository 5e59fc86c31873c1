"""Chirality: tests whether samples are left- or right-handed, since an E(n)-equivariant
network cannot tell mirror images apart.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genai_tutorial.data import Ligand

from .diffusion import Geometry
from .judge import bond_pairs

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
        if symbols[center] == "C" and [len(nitrogens), len(carboxyls), len(chains)] == [
            1,
            1,
            1,
        ]:
            places = molecule.positions[[center, *nitrogens, *carboxyls, *chains]]
            hands.append(handedness(*places).item())
    return [hand for hand in hands if hand]
