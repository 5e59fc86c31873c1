"""Naive Bayes: a generative classifier with coordinates that are independent given the
class.

For images this is plainly false, because neighbouring pixels agree. In return there are
few parameters, each estimated from a single column of the data, so a handful of
examples is enough.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genai_tutorial.density.classifiers import BayesClassifier, fit_bayes_classifier
from genai_tutorial.density.density import check_data, check_labels, check_weights
from genai_tutorial.density.gaussian import DiagonalGaussian, fit_diagonal_gaussian


@dataclass(frozen=True)
class IndependentBernoulli:
    """Independent Bernoulli variables: pixels that are ink (1) or paper (0).

    Attributes:
        probability: Probability of a 1 for each coordinate.
    """

    probability: Float[Tensor, "dim"]

    def log_prob(self, x: Float[Tensor, "n dim"]) -> Float[Tensor, "n"]:
        """Return the exact logarithm of the probability of each row, in nats; x
        consists of 0 and 1.
        """
        x = _check_binary(x, dim=len(self.probability))
        return x @ self.probability.log() + (1 - x) @ (-self.probability).log1p()

    def sample(
        self, count: int, generator: torch.Generator
    ) -> Float[Tensor, "count dim"]:
        """Draw `count` rows of 0 and 1."""
        chances = self.probability.expand(count, -1).cpu()
        return torch.bernoulli(chances, generator=generator).to(self.probability)

    def parameter_count(self) -> int:
        """Count one probability for each coordinate."""
        return len(self.probability)


def fit_bernoulli(
    x: Float[Tensor, "n dim"],
    weights: Float[Tensor, "n"] | None = None,
    *,
    smoothing: float = 1.0,
) -> IndependentBernoulli:
    """Estimate how often each coordinate is 1.

    Args:
        x: One example per row, of 0 and 1.
        weights: The weight of each row; `None` for equal weights of 1.
        smoothing: Number of ones and of zeros added to the counts of each coordinate.
            Without any, a pixel that was never ink gets probability zero, and a single
            stray pixel makes a digit impossible.

    Raises:
        ValueError: If x holds anything but 0 and 1, or smoothing is not above zero.

    Source: Murphy, Machine Learning: A Probabilistic Perspective (2012), section 3.5.1.

    >>> fit_bernoulli(torch.tensor([[1.0, 0.0], [1.0, 1.0]])).probability.tolist()
    [0.75, 0.5]
    """
    if not smoothing > 0:
        raise ValueError(
            f"smoothing must be above zero, got {smoothing}; 1 is Laplace's rule"
        )
    x = _check_binary(x)
    total = len(x) if weights is None else weights.double().sum()
    ones = check_weights(weights, x) @ x * total
    return IndependentBernoulli((ones + smoothing) / (total + 2 * smoothing))


def fit_bernoulli_naive_bayes(
    x: Float[Tensor, "n dim"], labels: Int[Tensor, "n"], *, smoothing: float = 1.0
) -> BayesClassifier:
    """Fit independent Bernoulli variables to each class; the arguments are those of
    `fit_bernoulli`.

    Raises:
        ValueError: If the data or the labels are invalid; the message says why.
    """
    return fit_bayes_classifier(
        x,
        labels,
        lambda rows, weights: fit_bernoulli(rows, weights, smoothing=smoothing),
    )


def fit_gaussian_naive_bayes(
    x: Float[Tensor, "n dim"], labels: Int[Tensor, "n"], *, smoothing: float = 1e-9
) -> BayesClassifier:
    """Fit a Gaussian with independent coordinates to each class.

    Args:
        x: One example per row.
        labels: The class of each row, counted from 0.
        smoothing: This share of the largest variance in the data is added to every
            variance.

    Raises:
        ValueError: If the data or the labels are invalid; the message says why.
    """
    ridge = smoothing * check_data(x).var(dim=0, correction=0).max().item()
    return fit_bayes_classifier(
        x,
        labels,
        lambda rows, weights: fit_diagonal_gaussian(rows, weights, ridge=ridge),
    )


def fit_shared_gaussian_naive_bayes(
    x: Float[Tensor, "n dim"], labels: Int[Tensor, "n"]
) -> BayesClassifier:
    """Fit a Gaussian with independent coordinates to each class; all classes share the
    variances.

    This is the naive Bayes that Ng and Jordan compare with logistic regression: both
    have flat decision boundaries.

    Args:
        x: One example per row.
        labels: The class of each row, counted from 0; some class needs two examples.

    Raises:
        ValueError: If the data or the labels are invalid, or a coordinate never
            varies within a class.

    Source: Ng and Jordan (2001), section 2, the case of continuous inputs.
    """
    x = check_data(x)
    labels, classes = check_labels(labels, n=len(x))
    means = torch.stack([x[labels == label].mean(dim=0) for label in range(classes)])
    variance = fit_diagonal_gaussian(x - means[labels]).variance
    prior = torch.bincount(labels, minlength=classes).double() / len(labels)
    return BayesClassifier(
        prior,
        tuple(DiagonalGaussian(mean, variance) for mean in means),
        shared=x.shape[1],
    )


def _check_binary(
    x: Float[Tensor, "n dim"], dim: int | None = None
) -> Float[Tensor, "n dim"]:
    x = check_data(x, dim)
    if not ((x == 0) | (x == 1)).all():
        raise ValueError(
            "expected only 0 and 1, got other numbers; turn grey pixels into ink or "
            "paper: (x > 0.5).float()"
        )
    return x
