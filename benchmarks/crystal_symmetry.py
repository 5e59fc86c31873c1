"""The symmetry of crystals, and how noise destroys it."""

import warnings
from dataclasses import replace

import torch

from genai_tutorial.data import Crystal
from genai_tutorial.runtime import require


def shaken(crystal: Crystal, sigma: float | int, generator: torch.Generator) -> Crystal:
    """Return a crystal with normal noise of `sigma` ångström on each coordinate."""
    noise = sigma * torch.randn(crystal.fractional.shape, generator=generator)
    moved = crystal.fractional + noise @ torch.linalg.inv(crystal.lattice)
    return replace(crystal, fractional=moved % 1)


def space_group(crystal: Crystal) -> int:
    """Return the number of the space group, from 1 (no symmetry) to 230; atoms may be
    0.1 ångström from their symmetric places.
    """
    spglib = require("spglib", extra="science")
    kinds = sorted(set(crystal.symbols))
    numbers = [1 + kinds.index(symbol) for symbol in crystal.symbols]
    cell = (crystal.lattice.tolist(), crystal.fractional.tolist(), numbers)
    with warnings.catch_warnings():  # about its future way to report errors
        warnings.simplefilter("ignore", DeprecationWarning)
        found = spglib.get_symmetry_dataset(cell, symprec=0.1)
    return 1 if found is None else int(found.number)
