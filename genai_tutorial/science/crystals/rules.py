"""Rules for crystals, and random structures to test the rules on: charge balance and
distances across the borders of the cell.
"""

import itertools
import operator
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.data import Compound, Crystal

_TABLES = Path(__file__).with_name("oxidation_states.txt").read_text("utf8")
ANIONS, CATIONS = (
    {element: tuple(map(int, states)) for element, *states in map(str.split, rows)}
    for rows in (table.splitlines() for table in _TABLES.split("\n\n"))
)
"""Oxidation states of the elements that are negative in most of their compounds, and of
all other elements in the table of compounds.
"""

STATES = ANIONS | CATIONS


def has_anion(amounts: Mapping[str, float | int]) -> bool:
    """Return whether an element of `ANIONS` is combined with one of `CATIONS`."""
    return bool(set(amounts) & set(ANIONS)) and bool(set(amounts) & set(CATIONS))


def is_charge_balanced(amounts: Mapping[str, float | int]) -> bool:
    """Return whether the elements can take oxidation states that add up to zero, one
    state per element, and not all of them zero.

    Raises:
        ValueError: If an element has no states in the tables.

    Source: Davies et al., Computational Screening of All Stoichiometric Inorganic
        Materials, section "Charge neutrality",
        https://doi.org/10.1016/j.chempr.2016.09.010

    >>> is_charge_balanced({"Al": 2, "O": 3}), is_charge_balanced({"Na": 1, "Cl": 2})
    (True, False)
    """
    unknown = set(amounts) - set(STATES)
    if unknown:
        raise ValueError(f"There are no oxidation states for {sorted(unknown)}.")
    counts = amounts.values()
    return any(
        abs(sum(map(operator.mul, states, counts))) < 1e-6
        for states in itertools.product(*(STATES[element] for element in amounts))
    )


def scrambled_compounds(
    compounds: Sequence[Compound], generator: torch.Generator
) -> list[dict[str, float]]:
    """Return the same amounts of other elements: each anion is replaced by a random
    anion, and each cation by a random cation.
    """
    scrambled = []
    for compound in compounds:
        amounts: dict[str, float] = {}
        for element, amount in compound.amounts.items():
            pool = sorted(ANIONS if element in ANIONS else CATIONS)
            free = [candidate for candidate in pool if candidate not in amounts]
            chosen = free[int(torch.randint(len(free), (), generator=generator))]
            amounts[chosen] = amount
        scrambled.append(amounts)
    return scrambled


def periodic_distances(
    lattice: Float[Tensor, "3 3"], fractional: Float[Tensor, "atom 3"]
) -> Float[Tensor, "atom atom"]:
    """Return the distance of each atom to the nearest copy of each other one, in
    ångström; on the diagonal, to the nearest copy of itself.
    """
    steps = torch.arange(-2.0, 3.0).to(fractional)
    shifts = torch.cartesian_prod(steps, steps, steps)
    apart = fractional[:, None] - fractional
    apart = apart - apart.round()
    places = (apart[:, :, None] + shifts) @ lattice
    distances = places.norm(dim=-1)
    distances[distances < 1e-6] = torch.inf  # an atom and itself
    return distances.min(dim=-1).values


def closest_distance(crystal: Crystal) -> float:
    """Return the smallest distance between two atoms, in ångström."""
    return periodic_distances(crystal.lattice, crystal.fractional).min().item()


def random_positions(
    crystals: Sequence[Crystal], generator: torch.Generator
) -> list[Crystal]:
    """Return the same cells and elements with the atoms anywhere."""
    return [
        replace(each, fractional=torch.rand(len(each.symbols), 3, generator=generator))
        for each in crystals
    ]
