"""Crystals: formulas that balance their charge, and distances that repeat."""

from genai_tutorial.science.crystals.formula_model import (
    EnergyForest,
    composition_features,
    decode_formula,
    encode_formula,
    fits_model,
    formula_key,
    train_formula_model,
    write_formulas,
)
from genai_tutorial.science.crystals.rules import (
    ANIONS,
    CATIONS,
    STATES,
    closest_distance,
    has_anion,
    is_charge_balanced,
    periodic_distances,
    random_positions,
    scrambled_compounds,
    shaken,
    space_group,
)

__all__ = [
    "ANIONS",
    "CATIONS",
    "STATES",
    "EnergyForest",
    "closest_distance",
    "composition_features",
    "decode_formula",
    "encode_formula",
    "fits_model",
    "formula_key",
    "has_anion",
    "is_charge_balanced",
    "periodic_distances",
    "random_positions",
    "scrambled_compounds",
    "shaken",
    "space_group",
    "train_formula_model",
    "write_formulas",
]
