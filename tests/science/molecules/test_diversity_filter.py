"""The scaffold filter."""

import pytest
import torch

from genai_tutorial.science.molecules import ScaffoldFilter

pytest.importorskip("rdkit")

BENZENES = ["Cc1ccccc1", "CCc1ccccc1", "CCCc1ccccc1"]


def test_scaffold_filter_counts_over_several_batches():
    diversity = ScaffoldFilter(limit=2)
    assert diversity(BENZENES[:1], torch.ones(1)).tolist() == [1]
    scores = torch.tensor([0.3, 0.7, 0.9])
    kept = diversity([*BENZENES[1:], "C1CCCCC1"], scores)
    assert kept.tolist() == pytest.approx([0.3, 0, 0.9])
    assert scores.tolist() == pytest.approx([0.3, 0.7, 0.9])


def test_scaffold_filter_ignores_invalid_strings_and_low_scores():
    diversity = ScaffoldFilter(limit=1, threshold=0.5)
    kept = diversity(["C1CC", *BENZENES], torch.tensor([1.0, 0.4, 0.6, 0.6]))
    assert kept.tolist() == pytest.approx([1.0, 0.4, 0.6, 0.0])


def test_scaffold_filter_needs_a_limit():
    with pytest.raises(ValueError, match="limit must be at least 1, got 0"):
        ScaffoldFilter(limit=0)
