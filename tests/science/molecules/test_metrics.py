"""Metrics of generated molecules, by hand on a few."""

import math

import pytest

from genai_tutorial.science.molecules import (
    add_carbon,
    canonical_smiles,
    measure_molecules,
    novelty,
    random_selfies,
    uniqueness,
    valid_molecules,
    validity,
)
from genai_tutorial.science.molecules.metrics import (
    internal_diversity,
    nearest_similarities,
    scaffold_diversity,
)

pytest.importorskip("rdkit")

SAMPLES = ["OCC", "CCO", "C1CC", "CCN", "Cc1ccccc1", "c1ccccc1CC"]
"""Five valid strings of four molecules: ethanol twice."""

TRAIN = ["CCO", "CCCN"]


def test_shares_count_molecules_and_not_strings():
    assert validity(SAMPLES) == 5 / 6
    assert uniqueness(SAMPLES) == 4 / 5
    assert novelty(SAMPLES, TRAIN) == 3 / 4  # ethanol is known, in any form
    assert valid_molecules(SAMPLES)[0] == "CCO"


def test_shares_of_nothing_are_not_a_number():
    assert math.isnan(uniqueness(["C1CC"]))
    assert math.isnan(novelty([], TRAIN))


def test_internal_diversity_is_zero_for_copies_and_larger_for_unlike_molecules():
    assert internal_diversity(["CCO"] * 3) == 0
    # nothing shared, and each has similarity 1 with itself
    assert internal_diversity(["CCO", "c1ccccc1"]) == 0.5


def test_nearest_similarity_finds_the_copy():
    near = nearest_similarities(["CCO", "c1ccccc1"], TRAIN)
    assert near.tolist() == [1.0, 0.0]


def test_scaffold_diversity_counts_rings_without_their_chains():
    assert scaffold_diversity(["Cc1ccccc1", "CCc1ccccc1", "CCO", "CCN"]) == 0.5


def test_report_agrees_with_the_single_metrics():
    report = measure_molecules(SAMPLES, TRAIN)
    assert (report.count, report.valid, report.distinct, report.novel) == (6, 5, 4, 3)
    assert (report.validity, report.uniqueness, report.novelty) == (5 / 6, 4 / 5, 3 / 4)
    assert report.length == (3 + 3 + 3 + 9 + 10) / 5
    distinct = list(dict.fromkeys(valid_molecules(SAMPLES)))
    assert report.internal_diversity == internal_diversity(distinct)
    assert report.to_dict()["validity"] == round(5 / 6, 4)
    with pytest.raises(ValueError, match="None of the 2 samples is a molecule"):
        measure_molecules(["C1", ""], TRAIN)


def test_add_carbon_passes_the_three_usual_metrics_with_copies(molecules):
    train = [canonical_smiles(smiles) for smiles in molecules]
    made = add_carbon(train, 5, seed=0)
    assert validity(made) == uniqueness(made) == novelty(made, train) == 1
    assert float(nearest_similarities(made, train).mean()) > 0.3
    assert made == add_carbon(train, 5, seed=0) != add_carbon(train, 5, seed=1)


def test_add_carbon_adds_one_carbon_atom(molecules):
    atoms = [atoms_of(f"{smiles}C") for smiles in molecules]
    for smiles in add_carbon([canonical_smiles(s) for s in molecules], 5, seed=0):
        assert atoms_of(smiles) in atoms


def test_add_carbon_says_when_there_are_too_few_molecules():
    with pytest.raises(ValueError, match="1 molecules gave 1 new ones, 9 were asked"):
        add_carbon(["CCO"], 9, seed=0)


def test_random_selfies_are_always_valid(molecules):
    pytest.importorskip("selfies")
    made = random_selfies(molecules, 50, seed=0)
    assert validity(made) == 1
    assert len(set(made)) > 10
    assert made == random_selfies(molecules, 50, seed=0)


def atoms_of(smiles: str) -> list[str]:
    return sorted(letter for letter in smiles.upper() if letter.isalpha())
