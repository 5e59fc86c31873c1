"""Analogies on word vectors whose answers are known."""

import pytest
import torch

from genai_tutorial.interpretability import (
    ANALOGY_FAMILIES,
    WordVectors,
    score_analogies,
)

PAIRS = [("man", "woman"), ("king", "queen"), ("boy", "girl"), ("uncle", "aunt")]


def vectors(points):
    return WordVectors(tuple(points), torch.tensor(list(points.values())))


def test_score_analogies_finds_a_common_direction():
    # The second word of a pair is a step along the last axis. A decoy is nearer to the
    # first word, so that nearness alone does not find it.
    points = {}
    for axis, (a, b) in enumerate(PAIRS[:3]):
        step = [0.0, 0.0, 0.0, 0.0]
        step[axis] = 1.0
        points[a], points[b] = step, [*step[:3], 2.0]
        points[f"decoy of {a}"] = [2 * x for x in step]
    scores = score_analogies(vectors(points), PAIRS)
    assert scores.by_analogy == [1.0, 1.0, 1.0]  # uncle and aunt have no vector
    assert scores.by_nearness == [0.0, 0.0, 0.0]


def test_score_analogies_credits_nearness_to_the_baseline():
    points = {"man": [1.0, 0.0], "woman": [0.9, 0.1], "king": [0.0, 1.0]}
    points |= {"queen": [0.1, 0.9]}
    scores = score_analogies(vectors(points), PAIRS[:2])
    assert scores.by_nearness == [1.0, 1.0]


def test_score_analogies_needs_another_pair():
    points = {"man": [1.0, 0.0], "woman": [0.9, 0.1]}
    with pytest.raises(ValueError, match="man, woman needs another pair"):
        score_analogies(vectors(points), PAIRS[:2])


def test_analogy_families_have_pairs_of_two_words_without_repetition():
    assert len(ANALOGY_FAMILIES) == 7
    for pairs in ANALOGY_FAMILIES.values():
        assert all(len(pair) == 2 and pair[0] != pair[1] for pair in pairs)
        assert len(set(pairs)) == len(pairs)
