"""The Fréchet distance of two sets of images, each described by a Gaussian fitted to
its features.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class FeatureGaussian:
    """A Gaussian fitted to features.

    Attributes:
        covariance: The covariance of each pair of features.
    """

    mean: Float[Tensor, "feature"]
    covariance: Float[Tensor, "feature feature"]

    @classmethod
    def fit(cls, features: Float[Tensor, "n feature"]) -> "FeatureGaussian":
        """Fit the Gaussian in double precision, with the covariance divided by n - 1.

        Raises:
            ValueError: If there are fewer than two rows, or a feature is not finite.

        >>> fitted = FeatureGaussian.fit(torch.tensor([[0.0, 1.0], [2.0, 1.0]]))
        >>> fitted.mean.tolist(), fitted.covariance.tolist()
        ([1.0, 1.0], [[2.0, 0.0], [0.0, 0.0]])
        """
        if features.ndim != 2 or len(features) < 2:
            raise ValueError(
                "features must have a row for each of at least 2 images, got "
                f"{tuple(features.shape)}."
            )
        if not features.isfinite().all():
            raise ValueError(
                "features must all be finite: look at the images that they come from."
            )
        features = features.double()
        mean = features.mean(dim=0)
        centred = features - mean
        return cls(mean, centred.T @ centred / (len(features) - 1))


def gaussian_frechet_distance(first: FeatureGaussian, second: FeatureGaussian) -> float:
    r"""Return the squared Fréchet (or Wasserstein-2) distance of two Gaussians.

    $$d^2 = \lVert \mu_1 - \mu_2 \rVert^2
    + \operatorname{tr}\left(\Sigma_1 + \Sigma_2 - 2 (\Sigma_1 \Sigma_2)^{1/2}\right)$$

    The product of the covariances has the same eigenvalues as $\Sigma_1^{1/2} \Sigma_2
    \Sigma_1^{1/2}$, which is symmetric: its eigenvalues are real and cheap, and the
    trace of the root is the sum of their roots.

    Raises:
        ValueError: If the Gaussians have different numbers of features.

    Source: Dowson and Landau (1982), The Fréchet distance between multivariate normal
    distributions, equation 4.

    >>> wide = FeatureGaussian(
    ...     torch.zeros(1).double(), torch.full((1, 1), 9.0).double()
    ... )
    >>> moved = FeatureGaussian(
    ...     torch.full((1,), 2.0).double(), torch.ones(1, 1).double()
    ... )
    >>> gaussian_frechet_distance(
    ...     wide, moved
    ... )  # 2² from the means and (3 - 1)² from the deviations
    8.0
    """
    if first.mean.shape != second.mean.shape:
        raise ValueError(
            f"Both need the same features, got {len(first.mean)} and "
            f"{len(second.mean)} of them."
        )
    values, vectors = torch.linalg.eigh(first.covariance)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T  # below 0 only by rounding
    eigenvalues = torch.linalg.eigvalsh(root @ second.covariance @ root)
    trace_of_root = eigenvalues.clamp(min=0).sqrt().sum()
    means = (first.mean - second.mean).square().sum()
    distance = (
        means + first.covariance.trace() + second.covariance.trace() - 2 * trace_of_root
    )
    return max(0.0, float(distance))


def frechet_distance(
    first: Float[Tensor, "n feature"], second: Float[Tensor, "m feature"]
) -> float:
    r"""Return the squared Fréchet distance of two sets of features; 0 for the same
    set, lower means more similar.

    With the features of the Inception network this is the FID of papers. Its size
    depends on the features: compare only distances computed from the same features and
    the same numbers of images. With few images it is too large even if both sets come
    from the same source: by about $(1/n + 1/m)(D + D(D+1)/4)$ for $D$ independent
    features of variance 1. So report with each distance the one between two sets of
    real images, which is what a perfect model would reach.

    Args:
        first: One row for each image, such as `read_digits(classifier,
            images).features`.
        second: The same features of other images.

    Raises:
        ValueError: If a set has fewer than two rows, the features differ in number, or
            one is not finite.

    Source: Heusel et al. (2017), GANs trained by a two time-scale update rule, equation
        6, https://arxiv.org/abs/1706.08500; Chong and Forsyth (2020), Effectively
        unbiased FID and Inception score, on the number of images,
        https://arxiv.org/abs/1911.07023

    >>> features = torch.eye(4)
    >>> round(
    ...     frechet_distance(features, features + 0.5), 6
    ... )  # each of the four features is moved by a half
    1.0
    """
    return gaussian_frechet_distance(
        FeatureGaussian.fit(first), FeatureGaussian.fit(second)
    )
