"""Best-of-n: the estimate agrees with enumeration, and the KL divergence with its
definition.
"""

import math
from itertools import combinations

import pytest
import torch

from genai_tutorial.alignment import best_of_n, best_of_n_kl


@pytest.mark.parametrize("n", [1, 2, 3, 5, 7])
def test_best_of_n_equals_the_mean_over_all_subsets(n):
    generator = torch.Generator().manual_seed(n)
    scores, values = torch.randn(2, 3, 7, generator=generator, dtype=torch.float64)
    for row in range(3):
        best = [
            float(values[row, max(subset, key=lambda place: float(scores[row, place]))])
            for subset in combinations(range(7), n)
        ]
        expected = sum(best) / len(best)
        assert best_of_n(scores, values, n)[row] == pytest.approx(expected)


@pytest.mark.parametrize("n", [1, 2, 8, 100])
def test_best_of_n_kl_is_that_of_a_continuous_score(n):
    """The best of n uniform scores has the density n u^(n - 1): integrate its log."""
    u = (torch.arange(1_000_000, dtype=torch.float64) + 0.5) / 1_000_000
    density = n * u ** (n - 1)
    assert best_of_n_kl(n) == pytest.approx(
        float((density * density.log()).nan_to_num().mean()), abs=1e-4
    )


def test_best_of_n_keeps_the_dtype_and_handles_many_samples():
    scores = torch.arange(256.0)[None]
    assert best_of_n(scores, scores, 256).tolist() == [255.0]
    assert best_of_n(scores, scores, 1).dtype == torch.float32
    assert best_of_n(scores, scores, 1)[0] == pytest.approx(127.5)


@pytest.mark.parametrize("n", [0, 4])
def test_best_of_n_arguments_are_validated(n):
    with pytest.raises(ValueError, match="n must be from 1"):
        best_of_n(torch.zeros(1, 3), torch.zeros(1, 3), n)
    with pytest.raises(ValueError, match="n must be at least 1"):
        best_of_n_kl(-n)
    assert math.isclose(best_of_n_kl(1), 0)
