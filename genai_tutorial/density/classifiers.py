"""Classifiers: one density for each class, turned into p(class | x) by Bayes' rule, and
logistic regression, their discriminative counterpart.
"""

import math
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy

from .gaussian import (
    Density,
    DiagonalGaussian,
    FitDensity,
    check_data,
    check_labels,
    check_weights,
    fit_diagonal_gaussian,
)


@dataclass(frozen=True)
class BayesClassifier:
    """A density and a frequency for each class.

    Attributes:
        prior: p(class), from the frequencies in the training set.
        densities: p(x | class), one for each class.
        shared: Number of parameters that all densities have in common; they count once.
    """

    prior: Float[Tensor, "classes"]
    densities: tuple[Density, ...]
    shared: int = 0

    def log_joint(self, x: Float[Tensor, "n dim"]) -> Float[Tensor, "n classes"]:
        """Return log p(x, class) = log p(class) + log p(x | class), in nats."""
        return self.prior.log() + torch.stack(
            [density.log_prob(x) for density in self.densities], dim=1
        )

    def log_prob(self, x: Float[Tensor, "n dim"]) -> Float[Tensor, "n"]:
        """Return log p(x), the sum over classes."""
        return self.log_joint(x).logsumexp(dim=1)

    def probabilities(self, x: Float[Tensor, "n dim"]) -> Float[Tensor, "n classes"]:
        """Return p(class | x) by Bayes' rule: the joint probability, divided by its sum
        over the classes.
        """
        return self.log_joint(x).softmax(dim=1)

    def predict(self, x: Float[Tensor, "n dim"]) -> Int[Tensor, "n"]:
        """Return the most probable class of each row."""
        return self.log_joint(x).argmax(dim=1)

    def sample(
        self, label: int, count: int, generator: torch.Generator
    ) -> Float[Tensor, "count dim"]:
        """Draw new examples of one class.

        Raises:
            ValueError: If there is no such class.
        """
        if not 0 <= label < len(self.densities):
            raise ValueError(
                f"label must be a class from 0 to {len(self.densities) - 1}, got "
                f"{label}"
            )
        return self.densities[label].sample(count, generator)

    def parameter_count(self) -> int:
        """Return the number of parameters of the densities plus the class frequencies,
        the last of which follows from the others.
        """
        own = sum(density.parameter_count() - self.shared for density in self.densities)
        return len(self.prior) - 1 + own + self.shared


def fit_bayes_classifier(
    x: Float[Tensor, "n dim"], labels: Int[Tensor, "n"], fit_density: FitDensity
) -> BayesClassifier:
    """Fit a density to the examples of each class.

    With `fit_gaussian` this is quadratic discriminant analysis; any other density of
    this package works too.

    Args:
        labels: The class of each row, counted from 0.

    Raises:
        ValueError: If the labels do not fit the rows, or a class has no example.

    Source: Ng and Jordan (2001), On discriminative vs. generative classifiers, section
    2.

    >>> from genai_tutorial.density import fit_gaussian
    >>> x = torch.tensor([[0.0], [1.0], [5.0], [6.0]])
    >>> classifier = fit_bayes_classifier(x, torch.tensor([0, 0, 1, 1]), fit_gaussian)
    >>> classifier.predict(torch.tensor([[0.5], [5.5]])).tolist()
    [0, 1]
    """
    x = check_data(x)
    labels, classes = check_labels(labels, n=len(x))
    prior = torch.bincount(labels, minlength=classes).double() / len(labels)
    return BayesClassifier(
        prior, tuple(fit_density(x[labels == label], None) for label in range(classes))
    )


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
    """Fit independent Bernoulli variables to each class; see `fit_bernoulli` and
    `fit_bayes_classifier` for arguments and errors.
    """
    return fit_bayes_classifier(x, labels, partial(fit_bernoulli, smoothing=smoothing))


def fit_shared_gaussian_naive_bayes(
    x: Float[Tensor, "n dim"], labels: Int[Tensor, "n"]
) -> BayesClassifier:
    """Fit a Gaussian with independent coordinates to each class; all classes share the
    variances.

    This is the naive Bayes that Ng and Jordan compare with logistic regression: both
    have flat decision boundaries.

    Args:
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


@dataclass(frozen=True)
class LogisticRegression:
    """A score for each class that is linear in x.

    Attributes:
        weights: Weight of each coordinate in the score of each class.
        bias: The score of each class at x = 0.
    """

    weights: Float[Tensor, "dim classes"]
    bias: Float[Tensor, "classes"]

    def scores(self, x: Float[Tensor, "n dim"]) -> Float[Tensor, "n classes"]:
        """Return the scores, also called logits."""
        return check_data(x, dim=len(self.weights)) @ self.weights + self.bias

    def probabilities(self, x: Float[Tensor, "n dim"]) -> Float[Tensor, "n classes"]:
        """Return p(class | x), the softmax of the scores.

        Source: Bishop (2006), equation 4.104.
        """
        return self.scores(x).softmax(dim=1)

    def predict(self, x: Float[Tensor, "n dim"]) -> Int[Tensor, "n"]:
        """Return the most probable class of each row."""
        return self.scores(x).argmax(dim=1)

    def parameter_count(self) -> int:
        """Return the number of weights and biases. Adding the same to every class
        changes nothing, so one class is not counted.
        """
        dim, classes = self.weights.shape
        return (dim + 1) * (classes - 1)


def fit_logistic_regression(
    x: Float[Tensor, "n dim"],
    labels: Int[Tensor, "n"],
    *,
    penalty: float = 1.0,
    tolerance: float = 1e-6,
) -> LogisticRegression:
    """Find the weights that make the given labels most probable, by L-BFGS.

    Args:
        labels: The class of each row, counted from 0.
        penalty: Half of this, times the sum of the squared weights, is added to the
            negative log-likelihood. It is 1 / C in scikit-learn. Without it the weights
            grow without limit if the classes can be separated.
        tolerance: Stop when no entry of the gradient per example is larger than this.

    Raises:
        ValueError: If the labels do not fit the rows, a class has no example, or
            penalty is not above zero.
        RuntimeError: If the optimizer did not converge within 2,000 steps.

    Source: Bishop (2006), equation 4.108, with the penalty of section 3.1.4.

    >>> x = torch.tensor([[0.0], [1.0], [5.0], [6.0]])
    >>> model = fit_logistic_regression(x, torch.tensor([0, 0, 1, 1]))
    >>> model.predict(torch.tensor([[0.5], [5.5]])).tolist()
    [0, 1]
    """
    if not (math.isfinite(penalty) and penalty > 0):
        raise ValueError(
            f"penalty must be above zero, got {penalty}; 1 is the usual choice, 0.001 "
            "is nearly none"
        )
    x = check_data(x)
    n, dim = x.shape
    labels, classes = check_labels(labels, n)
    weights = x.new_zeros(dim, classes, requires_grad=True)  # 64 bits, like x
    bias = x.new_zeros(classes, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weights, bias],
        max_iter=2000,
        tolerance_grad=tolerance,
        tolerance_change=0.0,
        line_search_fn="strong_wolfe",
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = (
            cross_entropy(x @ weights + bias, labels)
            + 0.5 * penalty / n * weights.square().sum()
        )
        value.backward()
        return value

    optimizer.step(loss)
    # L-BFGS reports no failure, so check the gradient once more.
    loss()
    steepest = max(weights.grad.abs().max().item(), bias.grad.abs().max().item())
    if steepest > 10 * tolerance:
        raise RuntimeError(
            f"the optimizer stopped with a gradient of {steepest:.1e}, "
            f"above tolerance {tolerance:.1e}; "
            "bring the columns of x to a similar scale, or use a larger penalty"
        )
    return LogisticRegression(weights.detach(), bias.detach())
