"""Molecules as text: a language model of SMILES, metrics that can be fooled, and
steering what the model writes.
"""

from genai_tutorial.science.molecules.diversity_filter import ScaffoldFilter
from genai_tutorial.science.molecules.drawing import draw_molecules
from genai_tutorial.science.molecules.failures import (
    FAILURES,
    Failure,
    count_failures,
    smiles_failure,
)
from genai_tutorial.science.molecules.fingerprints import (
    fingerprint_counts,
    tanimoto_similarities,
)
from genai_tutorial.science.molecules.guided_sampling import sample_guided
from genai_tutorial.science.molecules.hill_climbing import HillClimbSettings, hill_climb
from genai_tutorial.science.molecules.learned_score import (
    FingerprintRidge,
    RidgeEnsemble,
)
from genai_tutorial.science.molecules.metrics import (
    MoleculeReport,
    internal_diversity,
    measure_molecules,
    nearest_similarities,
    novelty,
    scaffold_diversity,
    uniqueness,
    valid_molecules,
    validity,
)
from genai_tutorial.science.molecules.model import (
    QED_EDGES,
    QED_LABELS,
    MoleculeModel,
    label_dropout_loss,
    molecule_rows,
    property_bins,
)
from genai_tutorial.science.molecules.properties import (
    canonical_smiles,
    log_p,
    murcko_scaffold,
    qed,
    synthetic_accessibility,
)
from genai_tutorial.science.molecules.scores import (
    NearDataScore,
    ProductScore,
    Score,
    log_p_score,
    log_p_window,
    qed_score,
    valid_scores,
)
from genai_tutorial.science.molecules.smiles import SmilesTokenizer, split_smiles
from genai_tutorial.science.molecules.steering import (
    Steered,
    SteeringSettings,
    SteeringStep,
    augmented_likelihood_loss,
    steer,
)
from genai_tutorial.science.molecules.trivial_generators import (
    add_carbon,
    random_selfies,
)

__all__ = [
    "FAILURES",
    "QED_EDGES",
    "QED_LABELS",
    "Failure",
    "FingerprintRidge",
    "HillClimbSettings",
    "MoleculeModel",
    "MoleculeReport",
    "NearDataScore",
    "ProductScore",
    "RidgeEnsemble",
    "ScaffoldFilter",
    "Score",
    "SmilesTokenizer",
    "Steered",
    "SteeringSettings",
    "SteeringStep",
    "add_carbon",
    "augmented_likelihood_loss",
    "canonical_smiles",
    "count_failures",
    "draw_molecules",
    "fingerprint_counts",
    "hill_climb",
    "internal_diversity",
    "label_dropout_loss",
    "log_p",
    "log_p_score",
    "log_p_window",
    "measure_molecules",
    "molecule_rows",
    "murcko_scaffold",
    "nearest_similarities",
    "novelty",
    "property_bins",
    "qed",
    "qed_score",
    "random_selfies",
    "sample_guided",
    "scaffold_diversity",
    "smiles_failure",
    "split_smiles",
    "steer",
    "synthetic_accessibility",
    "tanimoto_similarities",
    "uniqueness",
    "valid_molecules",
    "valid_scores",
    "validity",
]
