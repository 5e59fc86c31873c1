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
