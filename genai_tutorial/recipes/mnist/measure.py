"""The metrics of drawn digits that are on the cards of all models that draw them."""

from jaxtyping import Float, Int
from torch import Tensor

from genai_tutorial.data import load_mnist_split
from genai_tutorial.metrics import frechet_distance, precision_recall, read_digits
from genai_tutorial.recipes.files import load_recipe
from genai_tutorial.recipes.mnist.classifier import DIGIT_CLASSIFIER

N_EVAL_IMAGES = 1000
"""The number of images that are drawn to measure a model, as many as there are held-out
ones.
"""


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
    manifolds = precision_recall(real.features, drawn.features, k=3)
    metrics = {
        "frechet_distance": round(frechet_distance(real.features, drawn.features), 3),
        "precision": round(manifolds.precision, 4),
        "recall": round(manifolds.recall, 4),
    }
    if labels is not None:
        is_right = drawn.labels == labels
        metrics["digit_as_ordered"] = round(float(is_right.double().mean()), 4)
    return metrics


def digits_summary(metrics: dict, decimals: int = 2) -> str:
    """Return the Fréchet distance in words."""
    distance = metrics["frechet_distance"]
    return f"a Fréchet distance of {distance:.{decimals}f} from unseen digits"
