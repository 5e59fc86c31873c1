"""Generative classifiers: one density for each class, turned into p(class | x) by
Bayes' rule.

Because it models p(x | class), such a classifier can also draw new examples of a class,
which a discriminative classifier cannot.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .density import Density, FitDensity, check_data, check_labels
from .gaussian import Gaussian, fit_gaussian


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
        x: One example per row.
        labels: The class of each row, counted from 0.
        fit_density: Fits the density of one class.

    Raises:
        ValueError: If the labels do not fit the rows, or a class has no example.

    Source: Ng and Jordan (2001), On discriminative vs. generative classifiers, section
    2.

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


def fit_linear_discriminant(
    x: Float[Tensor, "n dim"], labels: Int[Tensor, "n"], *, ridge: float = 0.0
) -> BayesClassifier:
    """Fit a Gaussian to each class, all with one shared covariance: linear discriminant
    analysis.

    Source: Bishop (2006), section 4.2.2.
    """
    x = check_data(x)
    labels, classes = check_labels(labels, n=len(x))
    prior = torch.bincount(labels, minlength=classes).double() / len(labels)
    means = torch.stack([x[labels == label].mean(dim=0) for label in range(classes)])
    # The deviations from the class means have the covariance that all classes share.
    shared = fit_gaussian(x - means[labels], ridge=ridge).covariance
    dim = x.shape[1]
    return BayesClassifier(
        prior,
        tuple(Gaussian(mean, shared) for mean in means),
        shared=dim * (dim + 1) // 2,
    )
