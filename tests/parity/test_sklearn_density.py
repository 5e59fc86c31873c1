"""The density room against scikit-learn, on MNIST digits: the same numbers to 1e-5."""

import numpy as np
import pytest
import torch

from genai_tutorial.data import load_mnist
from genai_tutorial.density import (
    fit_bayes_classifier,
    fit_bernoulli_naive_bayes,
    fit_diagonal_gaussian,
    fit_gaussian,
    fit_logistic_regression,
    fit_mixture,
    fit_ppca,
    maximization_step,
    start_responsibilities,
)

pytest.importorskip(
    "sklearn", reason='needs scikit-learn: pip install "genai_tutorial[images]"'
)
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.mixture import GaussianMixture
from sklearn.naive_bayes import BernoulliNB


@pytest.fixture(scope="module")
def digits():
    """A thousand digits shrunk to 7 by 7 pixels, so that every pixel varies and a
    covariance has full rank.
    """
    train, test = load_mnist().split(train_per_class=100, seed=0)

    def shrink(images):
        return torch.nn.functional.avg_pool2d(images[:, None], 4).flatten(1).double()

    noise = 0.05 * torch.randn(
        5000, 49, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    return (
        shrink(train.images) + noise[:1000],
        train.labels,
        shrink(test.images) + noise[1000:],
    )


def assert_equal(ours, theirs):
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize("steps", [1, 4, 10])
@pytest.mark.parametrize(
    ("fit_component", "covariance_type"),
    [(fit_gaussian, "full"), (fit_diagonal_gaussian, "diag")],
)
def test_mixture(digits, steps, fit_component, covariance_type):
    x, _, fresh = digits
    start = start_responsibilities(x, components=5, seed=0)
    ridge = 1e-3
    ours = fit_mixture(
        x,
        start,
        lambda rows, weights: fit_component(rows, weights, ridge=ridge),
        steps=steps,
    )

    # scikit-learn starts from parameters, not from responsibilities: give it the ones
    # that our first M step makes.
    first = maximization_step(
        x, start, lambda rows, weights: fit_component(rows, weights, ridge=ridge)
    )
    spread = "covariance" if covariance_type == "full" else "variance"
    spreads = torch.stack([getattr(part, spread) for part in first.components])
    theirs = GaussianMixture(
        5, covariance_type=covariance_type, reg_covar=ridge, max_iter=steps, tol=0,
        weights_init=first.weights.numpy(),
        means_init=torch.stack([part.mean for part in first.components]).numpy(),
        precisions_init=(
            torch.linalg.inv(spreads) if covariance_type == "full" else 1 / spreads
        ).numpy(),
    )  # fmt: skip
    with pytest.warns(UserWarning, match="did not converge"):
        theirs.fit(x.numpy())
    assert_equal(ours.mixture.weights, theirs.weights_)
    assert_equal(
        torch.stack([part.mean for part in ours.mixture.components]), theirs.means_
    )
    assert_equal(ours.mixture.log_prob(fresh), theirs.score_samples(fresh.numpy()))
    assert_equal(
        ours.mixture.responsibilities(fresh), theirs.predict_proba(fresh.numpy())
    )
    assert ours.log_likelihoods[steps - 1] == pytest.approx(
        theirs.lower_bound_, abs=1e-9
    )


@pytest.mark.parametrize("latent", [1, 10, 40])
def test_ppca(digits, latent):
    x, _, fresh = digits
    ours = fit_ppca(x, latent=latent)
    theirs = PCA(latent, svd_solver="full").fit(x.numpy())
    # scikit-learn divides by n - 1 where maximum likelihood divides by n: the one
    # difference, undone here.
    theirs.explained_variance_ *= (len(x) - 1) / len(x)
    theirs.noise_variance_ *= (len(x) - 1) / len(x)
    assert_equal(ours.log_prob(fresh), theirs.score_samples(fresh.numpy()))
    noise = ours.noise_variance * torch.eye(len(ours.mean)).double()
    covariance = ours.loadings @ ours.loadings.T + noise
    assert_equal(covariance, theirs.get_covariance())
    # Posterior means are scikit-learn's coordinates, scaled and shrunk.
    coordinates = theirs.transform(fresh.numpy())
    scale = (
        np.sqrt(theirs.explained_variance_ - theirs.noise_variance_)
        / theirs.explained_variance_
    )
    np.testing.assert_allclose(
        np.abs(ours.encode(fresh).numpy()),
        np.abs(coordinates * scale),
        rtol=0,
        atol=1e-5,
    )


@pytest.mark.parametrize("smoothing", [0.1, 1.0])
def test_bernoulli_naive_bayes(digits, smoothing):
    x, labels, fresh = digits
    ours = fit_bernoulli_naive_bayes((x > 0.5).double(), labels, smoothing=smoothing)
    theirs = BernoulliNB(alpha=smoothing).fit((x > 0.5).numpy(), labels.numpy())
    ink = (fresh > 0.5).double()
    assert_equal(ours.log_joint(ink), theirs.predict_joint_log_proba(ink.numpy()))
    assert_equal(ours.probabilities(ink), theirs.predict_proba(ink.numpy()))


def test_quadratic_discriminant(digits):
    x, labels, fresh = digits
    ours = fit_bayes_classifier(x, labels, fit_gaussian)
    theirs = QuadraticDiscriminantAnalysis(store_covariance=True).fit(
        x.numpy(), labels.numpy()
    )
    # Older versions of scikit-learn divide by n - 1 = 99 within a class, newer ones by
    # n = 100 as we do.
    factor = (
        1.0
        if np.allclose(ours.densities[0].covariance, theirs.covariance_[0])
        else 99 / 100
    )
    for label, density in enumerate(ours.densities):
        assert_equal(density.covariance, theirs.covariance_[label] * factor)
        theirs.scalings_[label] *= factor
    assert_equal(ours.probabilities(fresh), theirs.predict_proba(fresh.numpy()))


@pytest.mark.parametrize("penalty", [0.1, 1.0, 100.0])
def test_logistic_regression(digits, penalty):
    x, labels, fresh = digits
    ours = fit_logistic_regression(x, labels, penalty=penalty, tolerance=1e-9)
    theirs = LogisticRegression(
        C=1 / penalty, tol=1e-9, max_iter=5000, solver="newton-cg"
    ).fit(x.numpy(), labels.numpy())
    assert_equal(ours.weights, theirs.coef_.T)
    # A number added to every class's bias changes nothing, so compare the biases from
    # their mean.
    assert_equal(
        ours.bias - ours.bias.mean(), theirs.intercept_ - theirs.intercept_.mean()
    )
    assert_equal(ours.probabilities(fresh), theirs.predict_proba(fresh.numpy()))
