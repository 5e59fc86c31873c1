"""Molecules as text: a language model of SMILES, metrics that can be fooled, and
steering what the model writes.
"""

from .metrics import (
    MoleculeReport,
    add_carbon,
    measure_molecules,
    nearest_similarities,
    novelty,
    random_selfies,
    uniqueness,
    valid_molecules,
    validity,
)
from .model import (
    QED_LABELS,
    MoleculeModel,
    label_dropout_loss,
    molecule_rows,
    property_bins,
    sample_guided,
)
from .properties import canonical_smiles, log_p, murcko_scaffold, qed
from .smiles import (
    SmilesFailure,
    SmilesTokenizer,
    count_failures,
    draw_molecules,
    smiles_failure,
    split_smiles,
)
from .steering import (
    Diversity,
    MoleculeScore,
    Steered,
    SteeringSettings,
    SteeringStep,
    augmented_likelihood_loss,
    qed_score,
    steer,
    valid_scores,
)
