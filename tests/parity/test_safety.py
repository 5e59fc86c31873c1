"""WEAT equals Caliskan's formula typed by hand and scipy's permutation test."""

import numpy as np
import pytest
import torch

from genai_tutorial.safety import association_test, associations


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


@pytest.mark.parametrize("sizes", [(5, 5), (4, 6)])
def test_association_test_equals_scipy_permutation_test(sizes):
    stats = pytest.importorskip("scipy.stats")
    generator = torch.Generator().manual_seed(0)
    first, second, a, b = (
        torch.randn(n, 6, generator=generator) for n in (*sizes, 3, 4)
    )
    first = first + 0.4 * a.mean(dim=0)
    scores = associations(torch.cat((first, second)), a, b).numpy().astype(float)
    expected = stats.permutation_test(
        (scores[: len(first)], scores[len(first) :]),
        lambda x, y, axis: x.mean(axis=axis) - y.mean(axis=axis),
        permutation_type="independent",
        alternative="greater",
        vectorized=True,
        n_resamples=np.inf,
    )
    test = association_test(first, second, a, b)
    assert test.exact
    assert test.p_value == pytest.approx(expected.pvalue, abs=1e-12)
    assert test.difference == pytest.approx(expected.statistic, abs=1e-6)


def test_association_test_equals_caliskan_formula_typed_by_hand():
    """Flowers and insects, pleasant and unpleasant, on vectors of three numbers."""
    flowers = np.array([[2.0, 1.0, 0.0], [3.0, 0.0, 1.0], [1.0, 1.0, 1.0]])
    insects = np.array([[0.0, 2.0, 1.0], [1.0, 3.0, 0.0], [0.0, 1.0, 2.0]])
    pleasant = np.array([[1.0, 0.0, 0.0], [2.0, 0.0, 1.0]])
    unpleasant = np.array([[0.0, 1.0, 0.0], [0.0, 2.0, 1.0]])

    def s(w: np.ndarray) -> float:
        return float(
            np.mean([cosine(w, a) for a in pleasant])
            - np.mean([cosine(w, b) for b in unpleasant])
        )

    x, y = [s(w) for w in flowers], [s(w) for w in insects]
    effect = (np.mean(x) - np.mean(y)) / np.std(x + y, ddof=1)
    groups = (flowers, insects, pleasant, unpleasant)
    test = association_test(*(torch.tensor(group).float() for group in groups))
    assert test.effect == pytest.approx(effect, abs=1e-6)
    assert test.p_value == pytest.approx(1 / 20)
