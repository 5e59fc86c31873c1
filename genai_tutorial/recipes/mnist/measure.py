"""The metrics of drawn digits that are on the cards of all models that draw them."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from genai_tutorial.data import load_mnist_split
from genai_tutorial.metrics import (
    DigitReading,
    ball_radii,
    frechet_distance,
    in_balls,
    precision_recall,
    read_digits,
)

from ..files import load_recipe
from ..spot_check import SpotCheck, draw_items
from .classifier import DIGIT_CLASSIFIER

N_EVAL_IMAGES = 1000
"""The number of images that are drawn to measure a model, as many as there are held-out
ones.
"""

NEIGHBOUR = 3
"""The nearest neighbour that the balls of precision and recall reach to."""


def measure_digits(
    images: Float[Tensor, "n 28 28"], labels: Int[Tensor, "n"] | None = None
) -> dict[str, float]:
    """Return how images compare with the 1,000 held-out digits, by the features of the
    book's classifier.

    Args:
        images: Brightness from 0 to 1.
        labels: The digits that the images should show; None leaves
            `digit_as_ordered` out.
    """
    classifier = load_recipe(DIGIT_CLASSIFIER)
    _, held_out = load_mnist_split()
    drawn, real = (
        read_digits(classifier, images),
        read_digits(classifier, held_out.images),
    )
    manifolds = precision_recall(real.features, drawn.features, k=NEIGHBOUR)
    metrics = {
        "frechet_distance": round(frechet_distance(real.features, drawn.features), 3),
        "precision": round(manifolds.precision, 4),
        "recall": round(manifolds.recall, 4),
    }
    if labels is not None:
        is_right = show_labels(drawn, labels)
        metrics["digit_as_ordered"] = round(float(is_right.double().mean()), 4)
    return metrics


def show_labels(drawn: DigitReading, labels: Int[Tensor, "n"]) -> Bool[Tensor, "n"]:
    """Return for each image whether the classifier reads the requested digit."""
    return drawn.labels == labels


def spot_check_labels(
    draw: Callable[[Int[Tensor, "n"]], Float[Tensor, "n 28 28"]], n: int, seed: int
) -> SpotCheck:
    """Measure `digit_as_ordered` on randomly chosen digits."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(10, (n,), generator=generator)
    drawn = read_digits(load_recipe(DIGIT_CLASSIFIER), draw(labels))
    return SpotCheck("digit_as_ordered", show_labels(drawn, labels).tolist())


def spot_check_recall(images: Float[Tensor, "m 28 28"], n: int, seed: int) -> SpotCheck:
    """Measure `recall`: how many held-out digits lie where drawn images lie."""
    _, held_out = load_mnist_split()
    sample = draw_items(range(len(held_out)), n, seed)
    classifier = load_recipe(DIGIT_CLASSIFIER)
    real, drawn = (
        read_digits(classifier, part).features.double()
        for part in (held_out.images[sample], images)
    )
    is_covered = in_balls(real, drawn, ball_radii(drawn, NEIGHBOUR))
    return SpotCheck("recall", is_covered.tolist())


def digits_summary(metrics: dict, decimals: int = 2) -> str:
    """Return the Fréchet distance as a phrase."""
    distance = metrics["frechet_distance"]
    return f"a Fréchet distance of {distance:.{decimals}f} from unseen digits"
