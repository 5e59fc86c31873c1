"""Rules for crystals, and random structures to test the rules on: charge balance,
distances across the borders of the cell, and symmetry.
"""

import itertools
import operator
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.data import Compound, Crystal
from genai_tutorial.runtime import require

ANIONS = {
    "F": (-1,), "Cl": (-1, 1, 3, 5, 7), "Br": (-1, 1, 3, 5), "I": (-1, 1, 3, 5, 7),
    "O": (-2, -1), "S": (-2, -1, 2, 4, 6), "Se": (-2, -1, 4, 6), "Te": (-2, -1, 4, 6),
    "N": (-3, 3, 5), "P": (-3, 3, 5), "As": (-3, 3, 5), "C": (-4, -2, 2, 4),
    "H": (1, -1),
}  # fmt: skip
"""Oxidation states of the elements that are negative in most of their compounds."""

CATIONS = {
    **dict.fromkeys(("Li", "Na", "K", "Rb", "Cs"), (1,)),
    **dict.fromkeys(("Be", "Mg", "Ca", "Sr", "Ba", "Zn", "Cd"), (2,)),
    **dict.fromkeys(("B", "Al", "Sc", "Y", "La", "Gd", "Ho", "Er", "Lu"), (3,)),
    **dict.fromkeys(("Nd", "Dy", "Sm", "Eu", "Tm", "Yb"), (2, 3)),
    **dict.fromkeys(("Ce", "Pr", "Tb"), (3, 4)),
    **dict.fromkeys(("Zr", "Hf"), (2, 3, 4)),
    **dict.fromkeys(("Si", "Ge"), (-4, 2, 4)),
    **dict.fromkeys(("Sn", "Pb"), (2, 4)),
    **dict.fromkeys(("Sb", "Bi"), (-3, 3, 5)),
    **dict.fromkeys(("Ga", "In", "Tl"), (1, 3)),
    **dict.fromkeys(("Nb", "Ta", "V"), (2, 3, 4, 5)),
    **dict.fromkeys(("Mo", "W", "Cr"), (2, 3, 4, 5, 6)),
    **dict.fromkeys(("Mn", "Re"), (2, 3, 4, 6, 7)),
    **dict.fromkeys(("Ru", "Os"), (2, 3, 4, 6, 8)),
    **dict.fromkeys(("Rh", "Ir", "Co"), (2, 3, 4)),
    **dict.fromkeys(("Pd", "Pt"), (2, 4)),
    **dict.fromkeys(("Fe", "Ni", "Ti"), (2, 3, 4)),
    **dict.fromkeys(("Cu", "Ag", "Hg"), (1, 2)),
    "Au": (1, 3), "Th": (4,), "U": (3, 4, 5, 6), "Pu": (3, 4, 5, 6),
}  # fmt: skip
"""Oxidation states of all other elements in the table of compounds."""

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


def shaken(crystal: Crystal, sigma: float | int, generator: torch.Generator) -> Crystal:
    """Return a crystal with normal noise of `sigma` ångström on each coordinate."""
    noise = sigma * torch.randn(crystal.fractional.shape, generator=generator)
    moved = crystal.fractional + noise @ torch.linalg.inv(crystal.lattice)
    return replace(crystal, fractional=moved % 1)


def space_group(crystal: Crystal) -> int:
    """Return the number of the space group, from 1 (no symmetry) to 230; atoms may be
    0.1 ångström from their symmetric places.

    Raises:
        ImportError: If spglib is not installed; the message gives the command to
            install it.
    """
    spglib = require("spglib", extra="science")
    kinds = sorted(set(crystal.symbols))
    numbers = [1 + kinds.index(symbol) for symbol in crystal.symbols]
    cell = (crystal.lattice.tolist(), crystal.fractional.tolist(), numbers)
    with warnings.catch_warnings():  # about its future way to report errors
        warnings.simplefilter("ignore", DeprecationWarning)
        found = spglib.get_symmetry_dataset(cell, symprec=0.1)
    return 1 if found is None else int(found.number)
