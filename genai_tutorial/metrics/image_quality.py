"""Measures of images: error and nearest neighbours of single ones, Fréchet distance,
precision and recall of sets.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def psnr(
    images: Float[Tensor, "n c h w"], others: Float[Tensor, "n c h w"]
) -> Float[Tensor, "n"]:
    """Return the peak signal-to-noise ratio of each pair of images with values from 0
    to 1, in decibels: higher is closer.

    Ten decibels more mean a tenth of the squared error; for equal images the ratio is
    infinite.

    Source: Wikipedia, https://en.wikipedia.org/wiki/Peak_signal-to-noise_ratio

    >>> import torch
    >>> psnr(torch.zeros(2, 3, 8, 8), torch.full((2, 3, 8, 8), 0.1)).round()
    tensor([20., 20.])
    """
    return -10 * (images - others).square().mean(dim=(1, 2, 3)).log10()


QUERIES_AT_ONCE = 512  # in one matrix product, to limit memory


@dataclass(frozen=True)
class Neighbours:
    """The nearest references of each query, nearest first.

    Attributes:
        distances: Euclidean distance over all pixels.
        indices: Index of the reference.
    """

    distances: Float[Tensor, "query k"]
    indices: Int[Tensor, "query k"]


@torch.no_grad()
def nearest_neighbours(
    queries: Float[Tensor, "query *shape"],
    references: Float[Tensor, "reference *shape"],
    k: int = 1,
) -> Neighbours:
    """Find the k nearest references of each query by Euclidean distance in pixel space,
    exactly.

    Raises:
        ValueError: If the shapes differ, or `k` is out of range.

    >>> found = nearest_neighbours(
    ...     torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0], [0.0, 1.0]]), k=2
    ... )
    >>> found.indices.tolist(), found.distances.tolist()
    ([[1, 0]], [[1.0, 5.0]])
    """
    if queries.shape[1:] != references.shape[1:]:
        raise ValueError(
            f"Images have different shapes: {tuple(queries.shape[1:])} and "
            f"{tuple(references.shape[1:])}"
        )
    if not 1 <= k <= len(references):
        raise ValueError(
            f"k must be from 1 to the number of references, {len(references)}, got {k}"
        )
    # In float32, ‖a‖² + ‖b‖² − 2ab loses the small distances, which matter here.
    points = references.flatten(1).double()
    squares = points.square().sum(dim=1)
    indices, distances = [], []
    for part in queries.flatten(1).double().split(QUERIES_AT_ONCE):
        # The query's own square is the same for all references, so it can be left out.
        nearest = (squares - 2 * part @ points.T).topk(k, largest=False).indices
        # Computed from the difference, the distance of a copy is 0, not 1e-7.
        found = (part[:, None, :] - points[nearest]).square().sum(dim=-1).sqrt()
        order = found.argsort(dim=1, stable=True)
        indices.append(nearest.gather(1, order))
        distances.append(found.gather(1, order))
    return Neighbours(torch.cat(distances).to(queries.dtype), torch.cat(indices))


@dataclass(frozen=True)
class FeatureGaussian:
    """A Gaussian fitted to features."""

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
        _check_finite(features)
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

    >>> wide = FeatureGaussian(torch.zeros(1), torch.full((1, 1), 9.0))
    >>> moved = FeatureGaussian(torch.full((1,), 2.0), torch.ones(1, 1))
    >>> gaussian_frechet_distance(wide, moved)  # 2² + (3 - 1)²
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
    traces = first.covariance.trace(), second.covariance.trace()
    return max(0.0, float(means + traces[0] + traces[1] - 2 * trace_of_root))


def frechet_distance(
    first: Float[Tensor, "n feature"], second: Float[Tensor, "m feature"]
) -> float:
    r"""Return the squared Fréchet distance of two sets of features; 0 for the same
    set, lower means more similar.

    With the features of the Inception network this is the FID of papers. Its size
    depends on the features: compare only distances computed from the same features and
    the same numbers of images. With few images it is too large even if both sets come
    from the same source: by about $(1/n + 1/m)(D + D(D+1)/4)$ for $D$ independent
    features of variance 1. Report with each distance the one between two sets of real
    images, which is what a perfect model would reach.

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
    >>> round(frechet_distance(features, features + 0.5), 6)  # four times 0.5²
    1.0
    """
    return gaussian_frechet_distance(
        FeatureGaussian.fit(first), FeatureGaussian.fit(second)
    )


@dataclass(frozen=True)
class PrecisionRecall:
    """Quality (precision) and diversity (recall) of generated images.

    Attributes:
        precision: The share of generated images that lie where real images lie.
        recall: The share of real images that lie where generated images lie.
    """

    precision: float
    recall: float


def precision_recall(
    real: Float[Tensor, "n feature"], generated: Float[Tensor, "m feature"], k: int = 3
) -> PrecisionRecall:
    """Measure quality and diversity separately, unlike the Fréchet distance.

    A ball around each real image reaches to its k-th nearest real neighbour; the union
    of the balls is where real images lie. Precision is the share of generated images in
    at least one of them. Recall is the same with the roles exchanged.

    Read the two together. A model that always draws the same perfect image has
    precision but no recall. A real image that is unlike all others has a large ball,
    and everything in it counts as precise, even most images of pure noise; but they
    cover nothing. Compare only measurements with the same k and numbers of images.

    Raises:
        ValueError: If the features differ in number, one is not finite, or a set has no
            k-th neighbour.

    Source: Kynkäänniemi et al. (2019), Improved precision and recall metric for
        assessing generative models, section 2, https://arxiv.org/abs/1904.06991; on
        outliers: Naeem et al. (2020), Reliable fidelity and diversity metrics for
        generative models, section 2.2, https://arxiv.org/abs/2002.09797

    >>> real = torch.tensor([[0.0], [1.0], [10.0], [11.0]])
    >>> precision_recall(
    ...     real, generated=torch.tensor([[0.2], [0.4], [0.9], [5.0]]), k=1
    ... )
    PrecisionRecall(precision=0.75, recall=0.5)
    """
    for name, features in (("real", real), ("generated", generated)):
        if features.ndim != 2 or not 1 <= k < len(features):
            raise ValueError(
                f"k must be at least 1 and below the number of images, got k = {k} and "
                f"{name} features of shape "
                f"{tuple(features.shape)}."
            )
        _check_finite(features)
    if real.shape[1] != generated.shape[1]:
        raise ValueError(
            f"Both sets need the same features, got {real.shape[1]} and "
            f"{generated.shape[1]} of them."
        )
    real, generated = real.double(), generated.double()
    return PrecisionRecall(
        precision=float(in_balls(generated, real, ball_radii(real, k)).double().mean()),
        recall=float(
            in_balls(real, generated, ball_radii(generated, k)).double().mean()
        ),
    )


def ball_radii(centres: Float[Tensor, "n feature"], k: int) -> Float[Tensor, "n"]:
    """Return the distance of each point to its k-th nearest neighbour among the
    others.

    >>> ball_radii(torch.tensor([[0.0], [1.0], [3.0]]), k=1).tolist()
    [1.0, 1.0, 2.0]
    """
    # The nearest is the point itself, at distance 0.
    distances = (_distances(part, centres) for part in centres.split(512))
    return torch.cat([row.kthvalue(k + 1, dim=1).values for row in distances])


def in_balls(
    points: Float[Tensor, "m feature"],
    centres: Float[Tensor, "n feature"],
    radii: Float[Tensor, "n"],
) -> Bool[Tensor, "m"]:
    """Return for each point whether it lies in at least one ball, or on its edge.

    >>> in_balls(torch.tensor([[0.5], [2.0]]), torch.zeros(1, 1), torch.ones(1))
    tensor([ True, False])
    """
    return torch.cat(
        [(_distances(part, centres) <= radii).any(dim=1) for part in points.split(512)]
    )


def _check_finite(features: Tensor) -> None:
    if not features.isfinite().all():
        raise ValueError(
            "features must all be finite: look at the images that they come from."
        )


def _distances(points: Tensor, centres: Tensor) -> Tensor:
    # Computed from differences: with products, which are faster, the distance of a
    # point to itself would not be 0.
    return torch.cdist(points, centres, compute_mode="donot_use_mm_for_euclid_dist")
