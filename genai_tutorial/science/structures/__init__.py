"""Molecules in space: equivariant diffusion, AlphaFold 3's way of placing atoms, and
a ruler measured on real structures.
"""

from .atom_transformer import AtomTransformer, AtomTransformerConfig
from .chirality import alpha_carbon_hands
from .conformers import expert_positions
from .diffusion import (
    Geometry,
    MoleculeTable,
    draw_sizes,
    equivariance_error,
    from_table,
    molecule_loss,
    molecule_steps,
    rotated_molecule_loss,
    sample_molecules,
    to_table,
)
from .equivariant import EquivariantConfig, EquivariantLayer, EquivariantNetwork
from .geometry import Alignment, aligned_rmsd, kabsch, random_rotations, remove_mean
from .graph import Graphs, to_graphs, to_positions
from .judge import (
    StructureScores,
    StructureVerdict,
    accepted_smiles,
    bond_agreement,
    bond_pairs,
    judge_structure,
    judge_structures,
    noised,
    shuffled_elements,
)
from .placing import (
    SIGMA_DATA,
    PlacingModel,
    StructureConfig,
    StructureNetwork,
    karras_sigmas,
    place_atoms,
    structure_loss,
)
