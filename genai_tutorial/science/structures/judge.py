"""Judges of structures: RDKit's placement of atoms, which is the expert to compare
with, and rules for bonds, clashes and valences.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from genai_tutorial.data import HEAVY_ELEMENTS, Ligand
from genai_tutorial.runtime import require

from .diffusion import Geometry


def expert_positions(
    molecule: Ligand, count: int, seed: int = 0, *, handed: bool = False
) -> Float[Tensor, "count atom 3"] | None:
    """Return RDKit's positions of the heavy atoms in ångström, or None if it places
    fewer than `count` times.

    It is told the bonds with their orders and the charges: the same graph as our
    network.

    Args:
        handed: Whether to tell it the hands of the centres and the sides of the double
            bonds, too, which it reads from the molecule's positions.

    Raises:
        ImportError: If rdkit is not installed; the message gives the command to
            install it.

    Source: Riniker and Landrum, Better Informed Distance Geometry,
        https://doi.org/10.1021/acs.jcim.5b00654
    """
    embed = require("rdkit.Chem.AllChem", extra="science").EmbedMultipleConfs
    drawn = _ligand_in_rdkit(molecule)
    if drawn is None:
        return None
    if handed:
        drawn.AddConformer(_conformer(molecule.positions))
        require("rdkit.Chem", extra="science").AssignStereochemistryFrom3D(drawn)
    with require("rdkit.rdBase", extra="science").BlockLogs():
        drawn = require("rdkit.Chem", extra="science").AddHs(drawn)
        # with a seed of 0 they are all the same
        numbers = embed(drawn, numConfs=count, randomSeed=seed + 1)
    if len(numbers) < count:
        return None
    placed = [torch.tensor(drawn.GetConformer(n).GetPositions()) for n in numbers]
    return torch.stack(placed).float()[:, : len(molecule)]


def symmetric_rmsd(
    molecule: Ligand, positions: Float[Tensor, "count atom 3"]
) -> Float[Tensor, " count"]:
    """Return the RMSD in ångström of positions from the molecule's own, where
    exchanging equivalent atoms is no error: RDKit's `GetBestRMS`.

    Equivalent are atoms that the bonds cannot tell apart, such as the two sides of a
    ring, and the two oxygens of a carboxylate.

    Raises:
        ImportError: If rdkit is not installed; the message gives the command to
            install it.
        ValueError: If RDKit rejects the molecule.
    """
    best = require("rdkit.Chem.rdMolAlign", extra="science").GetBestRMS
    reference, moving = _ligand_in_rdkit(molecule), _ligand_in_rdkit(molecule)
    if reference is None:
        raise ValueError(f"RDKit rejects the bonds of {molecule.name}.")
    reference.AddConformer(_conformer(molecule.positions))
    for placed in positions:
        moving.AddConformer(_conformer(placed), assignId=True)
    numbers = [conformer.GetId() for conformer in moving.GetConformers()]
    return torch.tensor([best(moving, reference, number) for number in numbers])


def _ligand_in_rdkit(molecule: Ligand) -> Any:
    bonds = torch.cat([molecule.bonds, molecule.orders[:, None]], dim=1)
    return _in_rdkit(molecule.symbols, molecule.charges.tolist(), bonds)


def _conformer(positions: Float[Tensor, "atom 3"]) -> Any:
    conformer = require("rdkit.Chem", extra="science").Conformer(len(positions))
    conformer.SetPositions(positions.double().numpy())
    return conformer


def _in_rdkit(
    symbols: Sequence[str], charges: Sequence[int], bonds: Int[Tensor, "bond 3"]
) -> Any:
    """Return RDKit's molecule of bonds with their orders, or None if it rejects it."""
    chem = require("rdkit.Chem", extra="science")
    drawn = chem.RWMol()
    for symbol, charge in zip(symbols, charges, strict=True):
        drawn.GetAtomWithIdx(drawn.AddAtom(chem.Atom(symbol))).SetFormalCharge(charge)
    for first, second, order in bonds.tolist():
        drawn.AddBond(first, second, chem.BondType.values[order])
    with require("rdkit.rdBase", extra="science").BlockLogs():
        return None if chem.SanitizeMol(drawn, catchErrors=True) else drawn


COVALENT_RADII = {
    "C": 0.76, "N": 0.71, "O": 0.66, "F": 0.57,
    "S": 1.05, "P": 1.07, "Cl": 1.02, "Br": 1.20,
}  # fmt: skip
"""Covalent radii in ångström.

Source: Cordero et al., Covalent radii revisited, table 2,
    https://doi.org/10.1039/b801115j
"""

MOST_NEIGHBOURS = {"C": 4, "N": 4, "O": 2, "F": 1, "S": 4, "P": 4, "Cl": 1, "Br": 1}
"""The largest number of heavy atoms that an atom of each element is bonded to."""

REACH, CLASH = 1.25, 0.7
"""Two atoms are bonded if closer than `REACH` times the sum of their radii, and they
clash if closer than `CLASH` times it.
"""

_RADII = torch.tensor([COVALENT_RADII[symbol] for symbol in HEAVY_ELEMENTS])
_LIMITS = torch.tensor([MOST_NEIGHBOURS[symbol] for symbol in HEAVY_ELEMENTS])


@dataclass(frozen=True)
class StructureVerdict:
    """The ruler's verdict on one molecule.

    Attributes:
        connected: True if the bonds join all atoms.
        clash_free: True if no two atoms are too close.
        valences_kept: True if no atom has more neighbours than its element can have.
    """

    connected: bool
    clash_free: bool
    valences_kept: bool

    @property
    def sound(self) -> bool:
        """True if the molecule passes all three tests."""
        return self.connected and self.clash_free and self.valences_kept


@dataclass(frozen=True)
class StructureScores:
    """The ruler's verdicts on many molecules, as shares of all.

    Attributes:
        connected: Share whose bonds join all atoms.
        clash_free: Share without two atoms that are too close.
        valences_kept: Share without an atom with too many neighbours.
        sound: Share that passes all three tests.
        carbon_bonds: Mean and standard deviation of the lengths of bonds between two
            carbon atoms, in ångström; None if there are fewer than two.
    """

    count: int
    connected: float
    clash_free: float
    valences_kept: float
    sound: float
    carbon_bonds: tuple[float, float] | None


def bond_pairs(molecule: Geometry | Ligand) -> Int[Tensor, "bond 2"]:
    """Return the pairs of atoms closer than `REACH` times the sum of their covalent
    radii, the smaller index first.

    >>> two = Geometry(torch.tensor([0, 0]), torch.tensor([[0.0, 0, 0], [1.54, 0, 0]]))
    >>> bond_pairs(two).tolist()
    [[0, 1]]
    """
    close = _relative_distances(molecule) < REACH
    return close.triu(diagonal=1).nonzero()


def judge_structure(molecule: Geometry | Ligand) -> StructureVerdict:
    """Measure one molecule: connection, clashes and numbers of neighbours."""
    from scipy.sparse.csgraph import connected_components  # it takes a while to load

    distances = _relative_distances(molecule).cpu()
    bonded = distances < REACH
    parts, _ = connected_components(bonded.numpy())
    limits = _LIMITS[molecule.elements.cpu()]
    return StructureVerdict(
        connected=parts == 1,
        clash_free=bool((distances >= CLASH).all()),
        valences_kept=bool((bonded.sum(dim=1) <= limits).all()),
    )


def judge_structures(molecules: Sequence[Geometry | Ligand]) -> StructureScores:
    """Measure many molecules.

    Raises:
        ValueError: If there are none.
    """
    if not molecules:
        raise ValueError("There are no molecules to judge: give at least one.")
    verdicts = [judge_structure(molecule) for molecule in molecules]
    lengths = torch.cat([_carbon_bond_lengths(molecule) for molecule in molecules])

    def share(name: str) -> float:
        return sum(getattr(verdict, name) for verdict in verdicts) / len(verdicts)

    carbon_bonds = None
    if len(lengths) > 1:
        carbon_bonds = lengths.mean().item(), lengths.std().item()
    return StructureScores(
        count=len(verdicts),
        connected=share("connected"),
        clash_free=share("clash_free"),
        valences_kept=share("valences_kept"),
        sound=share("sound"),
        carbon_bonds=carbon_bonds,
    )


def accepted_smiles(molecule: Geometry | Ligand) -> str | None:
    """Return the canonical SMILES string of a molecule whose bonds, all single, RDKit
    accepts; None for a molecule that is not sound or that RDKit rejects.

    Distances of heavy atoms alone do not tell single bonds from double ones, so this
    string names a skeleton, not a substance.

    Raises:
        ImportError: If rdkit is not installed; the message gives the command to
            install it.
    """
    chem = require("rdkit.Chem", extra="science")
    if not judge_structure(molecule).sound:
        return None
    single = functional.pad(bond_pairs(molecule), (0, 1), value=1)
    drawn = _in_rdkit(molecule.symbols, [0] * len(molecule.symbols), single)
    return None if drawn is None else chem.MolToSmiles(drawn)


def noised(
    molecules: Sequence[Ligand | Geometry],
    sigma: float | int,
    generator: torch.Generator,
) -> list[Geometry]:
    """Return molecules with normal noise of `sigma` ångström on each coordinate."""
    return [
        Geometry(
            molecule.elements,
            molecule.positions
            + sigma * torch.randn(molecule.positions.shape, generator=generator),
        )
        for molecule in molecules
    ]


def shuffled_elements(
    molecules: Sequence[Ligand | Geometry], generator: torch.Generator
) -> list[Geometry]:
    """Return molecules with elements drawn at random from all molecules' elements."""
    every = torch.cat([molecule.elements for molecule in molecules])

    def draw(count: int) -> Int[Tensor, " atom"]:
        return every[torch.randint(len(every), (count,), generator=generator)]

    return [Geometry(draw(len(each.elements)), each.positions) for each in molecules]


def _relative_distances(molecule: Geometry | Ligand) -> Tensor:
    """Return distances as multiples of the sum of radii, infinite on the diagonal."""
    radii = _RADII.to(molecule.positions.device)[molecule.elements]
    places = molecule.positions
    distances = (places[:, None] - places).norm(dim=-1)
    return (distances / (radii[:, None] + radii)).fill_diagonal_(torch.inf)


def _carbon_bond_lengths(molecule: Geometry | Ligand) -> Tensor:
    carbon = HEAVY_ELEMENTS.index("C")
    bonds = bond_pairs(molecule)
    bonds = bonds[(molecule.elements[bonds] == carbon).all(dim=1)]
    ends = molecule.positions[bonds]
    return (ends[:, 0] - ends[:, 1]).norm(dim=-1)
