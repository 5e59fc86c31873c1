"""Crystals: formulas that balance their charge, and distances that repeat."""

from .rules import (
    closest_distance,
    has_anion,
    is_charge_balanced,
    random_positions,
    scrambled_compounds,
)
