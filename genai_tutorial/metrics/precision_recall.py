"""Precision and recall of generated images: are they like real ones, and do they cover
all of them?
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor


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
    at least one of them. Recall is the same with the roles exchanged. A model that
    always draws the same perfect image has precision but no recall.

    Read the two together. A real image that is unlike all others has a large ball, and
    everything in it counts as precise: with the features of the book's classifier, even
    most images of pure noise do. Such images cover nothing, so their
    recall is 0. Both numbers depend on k and on how many images there are: compare only
    measurements with the same k and the same numbers of images.

    Args:
        real: The features of real images, one row per image.
        generated: The same features of generated images.
        k: The neighbour that a ball reaches to.

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
        if not features.isfinite().all():
            raise ValueError(
                f"{name} features must all be finite: look at the images that they "
                "come from."
            )
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
    return torch.cat(
        [
            _distances(part, centres).kthvalue(k + 1, dim=1).values
            for part in centres.split(512)
        ]
    )


def in_balls(
    points: Float[Tensor, "m feature"],
    centres: Float[Tensor, "n feature"],
    radii: Float[Tensor, "n"],
) -> Bool[Tensor, "m"]:
    """Return for each point whether it lies in at least one ball, or on its edge.

    >>> in_balls(
    ...     torch.tensor([[0.5], [2.0]]),
    ...     centres=torch.tensor([[0.0]]),
    ...     radii=torch.tensor([1.0]),
    ... ).tolist()
    [True, False]
    """
    return torch.cat(
        [(_distances(part, centres) <= radii).any(dim=1) for part in points.split(512)]
    )


def _distances(points: Tensor, centres: Tensor) -> Tensor:
    # Computed from differences: with products, which are faster, the distance of a
    # point to itself would not be 0.
    return torch.cdist(points, centres, compute_mode="donot_use_mm_for_euclid_dist")
