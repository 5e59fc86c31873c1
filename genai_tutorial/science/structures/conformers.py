"""The expert to compare with: RDKit's placement of atoms by distance geometry and known
torsion angles.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.data import Ligand
from genai_tutorial.runtime import require


def expert_positions(
    molecule: Ligand, count: int, seed: int = 0
) -> Float[Tensor, "count atom 3"] | None:
    """Return RDKit's positions of the heavy atoms, or None if it places fewer.

    It is told the bonds with their orders and the charges, and no hand: the same graph
    as our network.

    Raises:
        ImportError: If rdkit is not installed; the message gives the command to
            install it.

    Source: Riniker and Landrum, Better Informed Distance Geometry,
        https://doi.org/10.1021/acs.jcim.5b00654
    """
    chem = require("rdkit.Chem", extra="science")
    all_chem = require("rdkit.Chem.AllChem", extra="science")
    kinds = {
        1: chem.BondType.SINGLE,
        2: chem.BondType.DOUBLE,
        3: chem.BondType.TRIPLE,
    }
    drawn = chem.RWMol()
    for symbol, charge in zip(molecule.symbols, molecule.charges.tolist(), strict=True):
        atom = chem.Atom(symbol)
        atom.SetFormalCharge(charge)
        drawn.AddAtom(atom)
    for (first, second), order in zip(
        molecule.bonds.tolist(), molecule.orders.tolist(), strict=True
    ):
        drawn.AddBond(first, second, kinds[order])
    with require("rdkit.rdBase", extra="science").BlockLogs():
        if chem.SanitizeMol(drawn, catchErrors=True):
            return None
        with_hydrogens = chem.AddHs(drawn)
        numbers = all_chem.EmbedMultipleConfs(
            with_hydrogens,
            numConfs=count,
            randomSeed=seed + 1,  # with 0 they are all the same
        )
    if len(numbers) < count:
        return None
    return torch.stack(
        [
            torch.tensor(with_hydrogens.GetConformer(number).GetPositions()).float()[
                : len(molecule)
            ]
            for number in numbers
        ]
    )
