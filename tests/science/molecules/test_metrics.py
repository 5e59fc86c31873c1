"""Metrics of generated molecules, by hand on a few."""

import math

import pytest

from genai_tutorial.science.molecules import (
    measure_molecules,
    novelty,
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
    pair = internal_diversity(["CCO", "c1ccccc1"])
    assert pair == 0.5  # nothing shared, and each has similarity 1 with itself
    with pytest.raises(ValueError, match="at least one molecule"):
        internal_diversity([])


def test_nearest_similarity_finds_the_copy():
    near = nearest_similarities(["CCO", "c1ccccc1"], TRAIN)
    assert near.tolist() == [1.0, 0.0]
    with pytest.raises(ValueError, match="at least one reference"):
        nearest_similarities(["C"], [])


def test_scaffold_diversity_counts_rings_without_their_chains():
    assert scaffold_diversity(["Cc1ccccc1", "CCc1ccccc1", "CCO", "CCN"]) == 0.5


def test_report_agrees_with_the_single_metrics():
    report = measure_molecules(SAMPLES, TRAIN)
    assert (report.count, report.valid, report.distinct, report.novel) == (6, 5, 4, 3)
    assert report.validity == validity(SAMPLES)
    assert report.uniqueness == uniqueness(SAMPLES)
    assert report.novelty == novelty(SAMPLES, TRAIN)
    assert report.length == (3 + 3 + 3 + 9 + 10) / 5
    distinct = list(dict.fromkeys(valid_molecules(SAMPLES)))
    assert report.internal_diversity == internal_diversity(distinct)
    assert report.to_dict()["validity"] == round(5 / 6, 4)


def test_report_needs_a_molecule():
    with pytest.raises(ValueError, match="None of the 2 samples is a molecule"):
        measure_molecules(["C1", ""], TRAIN)
