"""Molecules as text: a language model of SMILES, metrics that can be fooled, and
steering what the model writes.
"""

from .diversity_filter import ScaffoldFilter
from .drawing import draw_molecules
from .failures import Failure, count_failures, smiles_failure
from .guided_sampling import sample_guided
from .hill_climbing import HillClimbSettings, hill_climb
from .learned_score import FingerprintRidge, RidgeEnsemble
from .metrics import (
    MoleculeReport,
    measure_molecules,
    novelty,
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
)
from .properties import canonical_smiles, log_p, qed
from .scores import (
    NearDataScore,
    ProductScore,
    Score,
    log_p_score,
    log_p_window,
    qed_score,
)
from .smiles import SmilesTokenizer, split_smiles
from .steering import (
    Diversity,
    Steered,
    SteeringSettings,
    SteeringStep,
    augmented_likelihood_loss,
    steer,
)
from .trivial_generators import add_carbon, random_selfies
