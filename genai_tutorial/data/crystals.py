"""Inorganic compounds with their formation energies, and crystal structures: two JSON
tables inside the package pymatgen, none of whose code is run.
"""

import gzip
import importlib.util
import json
import math
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

INSTALL = "pip install --no-deps pymatgen"
"""The command that installs the tables without pymatgen's dependencies."""

COMPOUNDS = "analysis/compatibility/exp_compounds.json.gz"
PROTOTYPES = "analysis/prototypes/aflow_prototypes.json.gz"

MOST_ATOMS = 20
"""Cells with more atoms are left out."""

_PARTS = re.compile(r"([A-Z][a-z]?)|(\()|(\))|(\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class Compound:
    """A compound whose formation energy has been measured.

    Attributes:
        formula: Its formula, such as "Al2O3".
        amounts: The number of atoms of each element in the formula.
        energy: The formation energy in eV per atom, negative if the compound is more
            stable than its elements.
    """

    formula: str
    amounts: dict[str, float]
    energy: float


@dataclass(frozen=True)
class Crystal:
    """A crystal structure: a cell that repeats in three directions.

    Attributes:
        name: Its label in the library, such as "AB_hP6_154_a_b".
        symbols: The element of each atom.
        lattice: The cell's three edges in ångström, one per row.
        fractional: The positions as fractions of the edges, from 0 to below 1.
    """

    name: str
    symbols: tuple[str, ...]
    lattice: Float[Tensor, "3 3"]
    fractional: Float[Tensor, "atom 3"]


def load_compounds() -> tuple[Compound, ...]:
    """Load 2,135 compounds with measured formation energies.

    The table gives energies per formula; here they are divided by the number of atoms.

    Raises:
        ImportError: If pymatgen is not installed.

    >>> silver_oxide = load_compounds()[1]
    >>> silver_oxide.formula, round(silver_oxide.energy, 3)
    ('Ag2O', -0.107)
    """
    compounds = _table(COMPOUNDS, _compound)
    return tuple(one for one in compounds if math.isfinite(one.energy))


def _compound(row: dict) -> Compound:
    amounts = parse_formula(row["formula"])
    energy = row["exp energy"] / sum(amounts.values())
    return Compound(row["formula"], amounts, energy)


def load_crystals() -> tuple[Crystal, ...]:
    """Load 250 crystal structures with at most 20 atoms in the cell: prototypes, each
    the first known crystal of its kind.

    Raises:
        ImportError: If pymatgen is not installed.

    >>> cinnabar = load_crystals()[0]
    >>> cinnabar.symbols
    ('Hg', 'Hg', 'Hg', 'S', 'S', 'S')
    """
    crystals = _table(PROTOTYPES, _crystal)
    return tuple(one for one in crystals if len(one.symbols) <= MOST_ATOMS)


def _crystal(row: dict) -> Crystal:
    sites = row["snl"]["sites"]
    fractional = torch.tensor([site["abc"] for site in sites]) % 1
    return Crystal(
        row["tags"]["aflow"],
        tuple(site["species"][0]["element"] for site in sites),
        torch.tensor(row["snl"]["lattice"]["matrix"]),
        torch.where(fractional < 1, fractional, 0.0),
    )


def parse_formula(formula: str) -> dict[str, float]:
    """Return the number of atoms of each element in a formula."""
    levels: list[Counter[str]] = [Counter()]
    last: Counter[str] = Counter()
    end = 0
    for match in _PARTS.finditer(formula):
        symbol, opened, closed, number = match.groups()
        misplaced = (closed and len(levels) == 1) or (number and not last)
        if match.start() != end or misplaced:
            break
        end = match.end()
        if number:  # what came last is there this many times instead of once
            for element, amount in last.items():
                levels[-1][element] += (float(number) - 1) * amount
            last = Counter()
        elif opened:
            levels.append(Counter())
            last = Counter()
        else:
            last = levels.pop() if closed else Counter({symbol: 1.0})
            levels[-1].update(last)
    is_finite = all(map(math.isfinite, levels[0].values()))
    if end != len(formula) or len(levels) > 1 or not levels[0] or not is_finite:
        raise ValueError(f"{formula!r} is not a formula such as 'Al2(SO4)3'.")
    return {element: float(amount) for element, amount in levels[0].items()}


def _table(name: str, read: Callable[[dict], Any]) -> list:
    # The package is found without importing it: its dependencies are left out.
    spec = importlib.util.find_spec("pymatgen")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (path := Path(folder) / name).is_file():
            try:
                with gzip.open(path, "rt", encoding="utf-8") as file:
                    return [read(row) for row in json.load(file)]
            except Exception as error:  # a damaged file can raise nearly anything
                raise ValueError(
                    f"{path} is damaged ({error}): install pymatgen again."
                ) from error
    raise ImportError(
        f"The tables of crystals come with pymatgen, which is not installed: run "
        f"{INSTALL} and try again",
        name="pymatgen",
    )
