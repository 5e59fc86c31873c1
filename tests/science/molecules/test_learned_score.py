"""Ridge regression on fingerprints, and its ensemble."""

import numpy as np
import pytest
import torch

from genai_tutorial.science.molecules import FingerprintRidge, RidgeEnsemble
from genai_tutorial.science.molecules.properties import fingerprint_counts

pytest.importorskip("rdkit")

CHAINS = ["C" * length for length in range(1, 9)]
NUMBERS = [float(length) for length in range(1, 9)]


def test_ridge_is_that_of_scikit_learn(molecules):
    linear_model = pytest.importorskip("sklearn.linear_model")
    values = [0.1, 0.5, 0.2, 0.9, 0.4, 0.7]
    expected = linear_model.Ridge(alpha=2.0).fit(
        fingerprint_counts(molecules).numpy(), np.array(values)
    )
    ours = FingerprintRidge.fit(molecules, values, penalty=2.0)
    np.testing.assert_allclose(ours.weights, expected.coef_, atol=1e-5)
    assert ours.intercept == pytest.approx(expected.intercept_, abs=1e-5)


def test_ridge_learns_the_length_of_a_chain_and_extrapolates_without_limit():
    ridge = FingerprintRidge.fit(CHAINS, NUMBERS, penalty=0.01)
    assert ridge.predict(CHAINS).tolist() == pytest.approx(NUMBERS, abs=0.1)
    assert float(ridge.predict(["C" * 40])) > 20
    assert ridge(["C1CC"]).tolist() == [0]


def test_ensemble_disagrees_more_where_there_were_no_data():
    values = [length + 0.5 * (-1) ** i for i, length in enumerate(NUMBERS)]
    ensemble = RidgeEnsemble.fit(CHAINS, values, size=8, seed=0)
    spread = ensemble.predictions(["CCCC", "C" * 40]).std(dim=0)
    assert spread[1] > 3 * spread[0]
    mean = ensemble.predictions(["CCCC"]).mean()
    assert float(ensemble(["CCCC"])) < float(mean)


def test_learned_scores_reject_what_cannot_be_fitted():
    with pytest.raises(ValueError, match="2 molecules and 1 values"):
        FingerprintRidge.fit(["C", "CC"], [1.0])
    with pytest.raises(ValueError, match="penalty must be above 0, got 0"):
        FingerprintRidge.fit(["C"], [1.0], penalty=0)
    with pytest.raises(ValueError, match="size must be at least 2, got 1"):
        RidgeEnsemble.fit(CHAINS, NUMBERS, size=1)


def test_scores_are_never_negative():
    ridge = FingerprintRidge(torch.full((1024,), -1.0), 0.0)
    assert ridge(["CCO"]).tolist() == [0]
