"""A language model of chemical formulas, and a forest that predicts formation energies
from them.

A formula is a short sentence: an element, its number, the next element, its number.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.alignment import Example, pad_examples, supervised_loss
from genai_tutorial.data import Compound
from genai_tutorial.generation import generate_rollouts
from genai_tutorial.runtime import require
from genai_tutorial.science.crystals.rules import STATES
from genai_tutorial.training import (
    OptimizerSettings,
    Schedule,
    TensorBatches,
    build_optimizer,
    fit,
)
from genai_tutorial.transformer import DecoderConfig, DecoderLM

ELEMENTS = tuple(sorted(STATES))
"""The elements of the formulas, in alphabetical order."""

MOST_OF_ONE = 24
"""The largest number of one element in a formula."""

MOST_ELEMENTS = 4
START, END = 0, 1
FIRST_NUMBER = 2
FIRST_ELEMENT = FIRST_NUMBER + MOST_OF_ONE
VOCABULARY = FIRST_ELEMENT + len(ELEMENTS)
LONGEST_ROW = 2 + 2 * MOST_ELEMENTS


def fits_model(amounts: Mapping[str, float | int]) -> bool:
    """Return whether a formula has whole numbers up to 24 of at most four elements."""
    return len(amounts) <= MOST_ELEMENTS and all(
        amount == int(amount) and 1 <= amount <= MOST_OF_ONE
        for amount in amounts.values()
    )


def encode_formula(amounts: Mapping[str, float | int]) -> list[int]:
    """Return a formula as tokens, without start and end."""
    if not fits_model(amounts) or set(amounts) - set(ELEMENTS):
        raise ValueError(
            f"A formula has up to {MOST_ELEMENTS} elements and up to {MOST_OF_ONE} of "
            f"each, got {dict(amounts)}."
        )
    return [
        token
        for element, amount in amounts.items()
        for token in (
            FIRST_ELEMENT + ELEMENTS.index(element),
            FIRST_NUMBER + int(amount) - 1,
        )
    ]


def decode_formula(tokens: Sequence[int]) -> dict[str, float] | None:
    """Return the amounts that tokens stand for; None if they are no formula of at least
    two elements, each once and followed by its number.
    """
    elements, numbers = tokens[::2], tokens[1::2]
    well_formed = (
        len(elements) == len(numbers) >= 2
        and all(token >= FIRST_ELEMENT for token in elements)
        and all(FIRST_NUMBER <= token < FIRST_ELEMENT for token in numbers)
        and len(set(elements)) == len(elements)
    )
    if not well_formed:
        return None
    return {
        ELEMENTS[element - FIRST_ELEMENT]: float(number - FIRST_NUMBER + 1)
        for element, number in zip(elements, numbers, strict=True)
    }


def train_formula_model(
    compounds: Sequence[Compound], *, steps: int = 300, seed: int = 0
) -> DecoderLM:
    """Train a small language model of formulas.

    Args:
        compounds: Compounds whose formulas fit the model.
        steps: The number of steps, of 64 formulas each.
        seed: Seed of the weights and the batches.
    """
    rows = pad_examples(
        [
            Example((START,), (*encode_formula(compound.amounts), END))
            for compound in compounds
        ],
        LONGEST_ROW,
    )
    model = DecoderLM(
        DecoderConfig.fast(VOCABULARY, LONGEST_ROW, width=64, layers=2, heads=4), seed
    )
    fit(
        model,
        TensorBatches((rows.ids, rows.is_answer), 64, seed),
        supervised_loss,
        build_optimizer(model, OptimizerSettings(matrix_lr=0.01, embedding_lr=0.005)),
        steps=steps,
        schedule=Schedule(steps, 20, "linear"),
        progress=False,
    )
    return model.eval()


def write_formulas(
    model: DecoderLM, count: int, *, generator: torch.Generator
) -> list[dict[str, float] | None]:
    """Sample formulas; None stands for a row of tokens that is none."""
    drawn = generate_rollouts(
        model, [[START]] * count, LONGEST_ROW - 1, end_token=END, generator=generator
    )
    return [decode_formula(row) for row in drawn.answers()]


def formula_key(amounts: Mapping[str, float | int]) -> tuple[tuple[str, float], ...]:
    """Return what is the same for formulas that differ by a factor or in order, such as
    H2O2 and OH.
    """
    smallest = min(amounts.values())
    return tuple(
        sorted((element, round(n / smallest, 3)) for element, n in amounts.items())
    )


def composition_features(
    formulas: Sequence[Mapping[str, float | int]],
) -> Float[Tensor, "formula element"]:
    """Return the share of each element of `ELEMENTS`."""
    features = torch.zeros(len(formulas), len(ELEMENTS))
    for row, amounts in zip(features, formulas, strict=True):
        for element, amount in amounts.items():
            row[ELEMENTS.index(element)] = amount / sum(amounts.values())
    return features


@dataclass(frozen=True)
class EnergyForest:
    """A random forest that predicts the formation energy from the composition.

    Attributes:
        forest: scikit-learn's regressor.
    """

    forest: Any

    @classmethod
    def train(cls, compounds: Sequence[Compound], seed: int = 0) -> "EnergyForest":
        """Train a forest.

        Raises:
            ImportError: If scikit-learn is not installed; the message gives the command
                to install it.
        """
        ensemble = require("sklearn.ensemble", extra="images")
        features = composition_features([compound.amounts for compound in compounds])
        energies = np.array([compound.energy for compound in compounds])
        forest = ensemble.RandomForestRegressor(200, random_state=seed)
        return cls(forest.fit(features.numpy(), energies))

    def predict(
        self, formulas: Sequence[Mapping[str, float | int]]
    ) -> Float[Tensor, " formula"]:
        """Return predicted formation energies in eV per atom."""
        features = composition_features(formulas).numpy()
        return torch.from_numpy(self.forest.predict(features)).float()

    def r_squared(self, compounds: Sequence[Compound]) -> float:
        """Return the share of the energies' variance that is predicted; 0 for a
        constant.
        """
        true = torch.tensor([compound.energy for compound in compounds])
        error = self.predict([compound.amounts for compound in compounds]) - true
        return 1 - (error.square().sum() / (true - true.mean()).square().sum()).item()
