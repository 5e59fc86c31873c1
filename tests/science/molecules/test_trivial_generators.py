"""Generators without a model that pass validity, uniqueness and novelty."""

import pytest

from genai_tutorial.science.molecules import (
    add_carbon,
    canonical_smiles,
    novelty,
    random_selfies,
    uniqueness,
    validity,
)
from genai_tutorial.science.molecules.metrics import nearest_similarities

pytest.importorskip("rdkit")


def test_add_carbon_passes_the_three_usual_metrics_with_copies(molecules):
    train = [canonical_smiles(smiles) for smiles in molecules]
    made = add_carbon(train, 5, seed=0)
    assert validity(made) == uniqueness(made) == novelty(made, train) == 1
    assert float(nearest_similarities(made, train).mean()) > 0.3
    assert made == add_carbon(train, 5, seed=0) != add_carbon(train, 5, seed=1)


def test_add_carbon_adds_one_carbon_atom(molecules):
    atoms = {sorted_atoms(smiles) + "C" for smiles in molecules}
    for smiles in add_carbon([canonical_smiles(s) for s in molecules], 5, seed=0):
        assert "".join(sorted(sorted_atoms(smiles))) in {
            "".join(sorted(letters)) for letters in atoms
        }


def test_add_carbon_says_when_there_are_too_few_molecules():
    with pytest.raises(ValueError, match="1 molecules gave 1 new ones, 9 were asked"):
        add_carbon(["CCO"], 9, seed=0)


def test_random_selfies_are_always_valid(molecules):
    pytest.importorskip("selfies")
    made = random_selfies(molecules, 50, seed=0)
    assert validity(made) == 1
    assert len(set(made)) > 10
    assert made == random_selfies(molecules, 50, seed=0)


def sorted_atoms(smiles: str) -> str:
    return "".join(sorted(letter.upper() for letter in smiles if letter.isalpha()))
