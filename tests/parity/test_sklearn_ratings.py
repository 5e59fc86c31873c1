"""Bradley-Terry and Cohen's kappa against scikit-learn and scipy."""

import math

import pytest
import torch

from genai_tutorial.metrics import cohen_kappa, fit_bradley_terry, mcnemar_test

pytest.importorskip(
    "sklearn", reason='needs scikit-learn: pip install "genai_tutorial[images]"'
)
from scipy.stats import binomtest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import cohen_kappa_score

SYSTEMS = 6


def draw_votes(count, seed):
    generator = torch.Generator().manual_seed(seed)
    strength = torch.randn(SYSTEMS, generator=generator, dtype=torch.float64)
    first = torch.randint(SYSTEMS, (count,), generator=generator)
    step = torch.randint(1, SYSTEMS, (count,), generator=generator)
    second = (first + step) % SYSTEMS
    p = (strength[first] - strength[second]).sigmoid()
    won = (torch.rand(count, generator=generator, dtype=torch.float64) < p).double()
    return first, second, won


@pytest.mark.parametrize("count", [60, 600])
def test_bradley_terry_equals_logistic_regression(count):
    """The ridge of 1e-6 is scikit-learn's C of 1e6."""
    first, second, won = draw_votes(count, seed=count)
    design = torch.zeros(count, SYSTEMS, dtype=torch.float64)
    design[torch.arange(count), first] = 1
    design[torch.arange(count), second] = -1
    extra = torch.randn(
        count, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    )
    for features in (None, extra):
        rows = design if features is None else torch.cat((design, features), dim=1)
        theirs = LogisticRegression(
            C=1e6, fit_intercept=False, tol=1e-12, max_iter=10_000
        ).fit(rows.numpy(), won.numpy())
        found = torch.from_numpy(theirs.coef_[0])
        strength = found[:SYSTEMS] - found[:SYSTEMS].mean()
        model = fit_bradley_terry(first, second, won, SYSTEMS, features)
        torch.testing.assert_close(
            model.ratings,
            1000 + 400 / math.log(10) * strength,
            rtol=0,
            atol=1e-2,
        )
        torch.testing.assert_close(
            model.coefficients, found[SYSTEMS:], rtol=0, atol=1e-4
        )


def test_kappa_equals_scikit_learn():
    generator = torch.Generator().manual_seed(0)
    for labels in (2, 5):
        first = torch.randint(labels, (300,), generator=generator).tolist()
        noise = torch.randint(labels, (300,), generator=generator).tolist()
        second = [
            a if n % 2 else b for n, (a, b) in enumerate(zip(first, noise, strict=True))
        ]
        assert cohen_kappa(first, second) == pytest.approx(
            cohen_kappa_score(first, second), abs=1e-12
        )


def test_mcnemar_equals_the_binomial_test():
    first = [1] * 3 + [0] * 11 + [1] * 40
    second = [0] * 3 + [1] * 11 + [1] * 40
    expected = binomtest(3, 14, 0.5).pvalue
    assert mcnemar_test(first, second).p_value == pytest.approx(expected, abs=1e-12)
