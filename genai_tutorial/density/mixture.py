"""Mixtures: weighted sums of densities, fitted by expectation-maximization (EM), which
alternates two steps: compute the responsibility of each component for each point, and
fit each component to the points, weighted by responsibility.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from .gaussian import Density, FitDensity, check_data


@dataclass(frozen=True)
class Mixture:
    """A weighted sum of densities.

    Attributes:
        weights: The weight of each component; they add up to one.
        components: The densities, of any kind.
    """

    weights: Float[Tensor, "components"]
    components: tuple[Density, ...]

    def log_joint(self, x: Float[Tensor, "n dim"]) -> Float[Tensor, "n components"]:
        """Return log p(x, component) for each row and each component, in nats."""
        per_component = torch.stack(
            [component.log_prob(x) for component in self.components], dim=1
        )
        return per_component + self.weights.log()

    def log_prob(self, x: Float[Tensor, "n dim"]) -> Float[Tensor, "n"]:
        """Return the exact logarithm of the density at each row, in nats: the
        sum over components.

        logsumexp adds up probabilities that are too small for floating-point numbers.

        Source: Bishop (2006), equation 9.7.
        """
        return self.log_joint(x).logsumexp(dim=1)

    def responsibilities(
        self, x: Float[Tensor, "n dim"]
    ) -> Float[Tensor, "n components"]:
        """Return p(component | x) by Bayes' rule: the E step.

        Source: Bishop (2006), equation 9.23.
        """
        return self.log_joint(x).softmax(dim=1)

    def sample(
        self, count: int, generator: torch.Generator
    ) -> Float[Tensor, "count dim"]:
        """Draw new rows: first a component, then a row from it."""
        chosen = torch.multinomial(
            self.weights.cpu(), count, replacement=True, generator=generator
        )
        counts = torch.bincount(chosen, minlength=len(self.components)).tolist()
        drawn = [
            part.sample(size, generator)
            for part, size in zip(self.components, counts, strict=True)
            if size
        ]
        return torch.cat(drawn)[torch.randperm(count, generator=generator)]

    def parameter_count(self) -> int:
        """Return the number of parameters of the components plus their weights, the
        last of which follows from the others.
        """
        own = sum(component.parameter_count() for component in self.components)
        return len(self.weights) - 1 + own


@dataclass(frozen=True)
class MixtureFit:
    """A fitted mixture and its training history.

    Attributes:
        mixture: The mixture after the last step.
        log_likelihoods: Mean log-likelihood of the training data in nats, at the start
            and after each step. Without a ridge, no step lowers it.
    """

    mixture: Mixture
    log_likelihoods: tuple[float, ...]


def maximization_step(
    x: Float[Tensor, "n dim"],
    responsibilities: Float[Tensor, "n components"],
    fit_component: FitDensity,
) -> Mixture:
    """Fit each component to all points, weighted by its responsibility for them: the M
    step.

    Raises:
        ValueError: If a component is responsible for no point.

    Source: Bishop (2006), equations 9.24 to 9.26.
    """
    totals = responsibilities.sum(dim=0)
    if (totals < 1e-6).any():
        raise ValueError(
            f"{int((totals < 1e-6).sum())} of {len(totals)} components have lost all "
            "their points; use fewer components, another seed, or a larger ridge"
        )
    components = tuple(fit_component(x, column) for column in responsibilities.T)
    return Mixture(totals / totals.sum(), components)


def fit_mixture(
    x: Float[Tensor, "n dim"],
    start: Float[Tensor, "n components"],
    fit_component: FitDensity,
    *,
    steps: int = 50,
) -> MixtureFit:
    """Fit a mixture by EM, from given responsibilities.

    Args:
        start: The first responsibilities, for example from `start_responsibilities`.
        fit_component: Fits one component, for example `fit_gaussian`. Its ridge keeps a
            component from shrinking onto a single point, where the likelihood is
            infinite.

    Raises:
        ValueError: If `start` is not one row of shares for each example, `steps` is
            below one, or a component loses its points.

    Source: Dempster, Laird and Rubin (1977), Maximum likelihood from incomplete data
    via the EM algorithm.

    >>> from genai_tutorial.density import fit_gaussian
    >>> x = torch.tensor([[-1.1], [-1.0], [-0.9], [0.9], [1.0], [1.1]])
    >>> fit = fit_mixture(x, start_responsibilities(x, 2, seed=0), fit_gaussian)
    >>> sorted(round(component.mean.item(), 3) for component in fit.mixture.components)
    [-1.0, 1.0]
    """
    x = check_data(x)
    sums = start.double().sum(dim=1)
    if (
        len(start) != len(x)
        or (start < 0).any()
        or not torch.allclose(sums, torch.ones_like(sums))
    ):
        raise ValueError(
            f"start must have {len(x)} rows of shares that add up to one, got shape "
            f"{tuple(start.shape)}; start_responsibilities returns such rows"
        )
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}")
    mixture = maximization_step(x, start.double(), fit_component)
    log_joint = mixture.log_joint(x)
    history = [log_joint.logsumexp(dim=1).mean().item()]
    for _ in range(steps):
        mixture = maximization_step(x, log_joint.softmax(dim=1), fit_component)
        log_joint = mixture.log_joint(x)
        history.append(log_joint.logsumexp(dim=1).mean().item())
    return MixtureFit(mixture, tuple(history))


def start_responsibilities(
    x: Float[Tensor, "n dim"], components: int, seed: int
) -> Float[Tensor, "n components"]:
    """Assign every point to the nearest of a few centres, found by k-means.

    Args:
        seed: Seed of the first centres. Each is one of the points, drawn with a
            probability proportional to the squared distance from the nearest centre so
            far.

    Raises:
        ValueError: If `components` is below one, or above the number of different
            points.

    Source: Arthur and Vassilvitskii (2007), k-means++: the advantages of careful
    seeding.
    """
    x = check_data(x)
    if not 1 <= components <= len(x):
        raise ValueError(
            f"components must be from 1 to {len(x)}, the number of examples, got "
            f"{components}"
        )
    generator = torch.Generator().manual_seed(seed)
    centres = x[torch.randint(len(x), (1,), generator=generator)]
    for _ in range(components - 1):
        distances = torch.cdist(x, centres).amin(dim=1).square()
        if distances.sum() == 0:
            raise ValueError(
                f"the data has only {len(centres)} different points, too few for "
                f"{components} components"
            )
        centres = torch.cat(
            [centres, x[torch.multinomial(distances.cpu(), 1, generator=generator)]]
        )
    nearest = torch.cdist(x, centres).argmin(dim=1)
    for _ in range(10):
        counts = torch.bincount(nearest, minlength=components).clamp(min=1)
        centres = torch.zeros_like(centres).index_add_(0, nearest, x) / counts[:, None]
        nearest = torch.cdist(x, centres).argmin(dim=1)
    return torch.nn.functional.one_hot(nearest, components).double()
