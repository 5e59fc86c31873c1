"""Science: molecules as text, and steering what a model writes."""

from genai_tutorial.science.equivariant import (
    EquivariantConfig,
    EquivariantLayer,
    EquivariantNetwork,
)
from genai_tutorial.science.geometry import (
    Alignment,
    aligned_rmsd,
    handedness,
    kabsch,
    random_rotations,
    remove_mean,
)
from genai_tutorial.science.molecule_diffusion import (
    MOLECULE_SCHEDULE,
    Geometry,
    MoleculeDenoiser,
    MoleculeTable,
    centred,
    draw_sizes,
    equivariance_error,
    from_table,
    molecule_loss,
    molecule_steps,
    rotate,
    rotated_molecule_loss,
    sample_molecules,
    to_table,
)
from genai_tutorial.science.molecule_model import (
    QED_EDGES,
    QED_LABELS,
    MoleculeModel,
    label_dropout_loss,
    molecule_rows,
    property_bins,
)
from genai_tutorial.science.smiles import SmilesTokenizer, split_smiles

__all__ = [
    "MOLECULE_SCHEDULE",
    "QED_EDGES",
    "QED_LABELS",
    "Alignment",
    "EquivariantConfig",
    "EquivariantLayer",
    "EquivariantNetwork",
    "Geometry",
    "MoleculeDenoiser",
    "MoleculeModel",
    "MoleculeTable",
    "SmilesTokenizer",
    "aligned_rmsd",
    "centred",
    "draw_sizes",
    "equivariance_error",
    "from_table",
    "handedness",
    "kabsch",
    "label_dropout_loss",
    "molecule_loss",
    "molecule_rows",
    "molecule_steps",
    "property_bins",
    "random_rotations",
    "remove_mean",
    "rotate",
    "rotated_molecule_loss",
    "sample_molecules",
    "split_smiles",
    "to_table",
]
