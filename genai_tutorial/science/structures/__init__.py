"""Molecules in space: equivariant diffusion, AlphaFold 3's way of placing atoms, and
a ruler measured on real structures.
"""

from .diffusion import (
    Geometry,
    MoleculeTable,
    draw_sizes,
    equivariance_error,
    from_table,
    molecule_loss,
    molecule_steps,
    sample_molecules,
    to_table,
)
from .geometry import Alignment, aligned_rmsd, kabsch, random_rotations, remove_mean
from .graph import Graphs, alpha_carbon_hands, to_graphs, to_positions
from .judge import (
    StructureScores,
    StructureVerdict,
    accepted_smiles,
    bond_pairs,
    expert_positions,
    judge_structure,
    judge_structures,
    noised,
    shuffled_elements,
    symmetric_rmsd,
)
from .networks import (
    AtomTransformer,
    EquivariantConfig,
    EquivariantLayer,
    EquivariantNetwork,
)
from .placing import (
    SIGMA_DATA,
    PlacingModel,
    StructureNetwork,
    karras_sigmas,
    place_atoms,
    structure_loss,
)
