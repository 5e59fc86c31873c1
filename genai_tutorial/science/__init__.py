"""Science: molecules as text, and steering what a model writes."""

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
    "QED_EDGES",
    "QED_LABELS",
    "MoleculeModel",
    "SmilesTokenizer",
    "label_dropout_loss",
    "molecule_rows",
    "property_bins",
    "split_smiles",
]
