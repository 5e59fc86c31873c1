"""The recipe for the small network that reads digits, and the metrics of drawn digits,
which compare its features.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from genai_tutorial.data import MNIST_SOURCE, load_mnist_split, random_affine
from genai_tutorial.metrics import (
    DigitClassifier,
    DigitClassifierConfig,
    ball_radii,
    expected_calibration_error,
    frechet_distance,
    in_balls,
    precision_recall,
    read_digits,
)
from genai_tutorial.training import AdamW, Schedule, warmup_cosine

from .recipe import Recipe, RunSettings, Trained, draw_items, load_recipe


@dataclass(frozen=True, kw_only=True)
class DigitClassifierRecipe(Recipe):
    """A classifier trained on 4,000 digits with data augmentation: each is shifted,
    rotated and stretched a little, differently each time.
    """

    config: DigitClassifierConfig
    learning_rate: float
    weight_decay: float

    network = DigitClassifier
    source = MNIST_SOURCE
    metric = "held_out_accuracy"
    in_words = "{held_out_accuracy:.1%} of unseen digits classified correctly"

    def schedule(self) -> Schedule:
        """Return the schedule of the learning rate over the recipe's steps."""
        return warmup_cosine(self.steps, self.warmup_steps)

    def fit(self, run: RunSettings) -> Trained:
        train, _ = load_mnist_split()
        model = self.build().to(run.device)

        def loss(
            model, images: Tensor, labels: Tensor, generator: torch.Generator
        ) -> Tensor:
            logits = model(random_affine(images, generator))
            return functional.cross_entropy(logits, labels)

        return run.fit(
            self,
            model,
            run.batches(self, train.images, train.labels),
            loss,
            AdamW(
                model.parameters(),
                lr=self.learning_rate,
                betas=(0.9, 0.99),
                weight_decay=self.weight_decay,
            ),
            generator=torch.Generator().manual_seed(self.seed),
        )

    def measure(self, model: DigitClassifier) -> dict:
        _, held_out = load_mnist_split()
        reading = read_digits(model, held_out.images)
        right = reading.labels == held_out.labels
        with torch.no_grad():
            nats = functional.cross_entropy(model(held_out.images), held_out.labels)
        return {
            "held_out_accuracy": round(float(right.double().mean()), 4),
            "held_out_nats_per_image": round(float(nats), 4),
            "mean_confidence": round(float(reading.confidences.double().mean()), 4),
            "expected_calibration_error": round(
                expected_calibration_error(reading.confidences, right), 4
            ),
            "held_out_images": len(held_out),
            "split": "load_mnist().split(train_per_class=400, seed=0)",
        }

    def score(self, loaded: DigitClassifier, n: int, seed: int) -> list:
        _, held_out = load_mnist_split()
        sample = draw_items(range(len(held_out)), n, seed)
        reading = read_digits(loaded, held_out.images[sample])
        return (reading.labels == held_out.labels[sample]).tolist()


DIGIT_CLASSIFIER = DigitClassifierRecipe(
    name="digit-classifier",
    title=(
        "A network of 60,000 weights that reads handwritten digits, for the image "
        "metrics"
    ),
    config=DigitClassifierConfig(),
    learning_rate=2e-3,
    weight_decay=0.05,
    batch_size=64,
    steps=2000,
    warmup_steps=50,
    ema_decay=0.99,
)
"""The classifier whose features are used for the Fréchet distance, precision and
recall.
"""


DIGITS_IN_WORDS = "a Fréchet distance of {frechet_distance:.2f} from unseen digits"
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
    drawn = read_digits(classifier, images)
    real = read_digits(classifier, held_out.images)
    manifolds = precision_recall(real.features, drawn.features, k=NEIGHBOUR)
    metrics = {
        "frechet_distance": round(frechet_distance(real.features, drawn.features), 3),
        "precision": round(manifolds.precision, 4),
        "recall": round(manifolds.recall, 4),
    }
    if labels is not None:
        is_right = drawn.labels == labels
        metrics["digit_as_ordered"] = round(float(is_right.double().mean()), 4)
    return metrics


def score_recall(images: Float[Tensor, "m 28 28"], n: int, seed: int) -> list[bool]:
    """Measure `recall`: how many held-out digits lie where drawn images lie."""
    _, held_out = load_mnist_split()
    sample = draw_items(range(len(held_out)), n, seed)
    classifier = load_recipe(DIGIT_CLASSIFIER)
    real, drawn = (
        read_digits(classifier, part).features.double()
        for part in (held_out.images[sample], images)
    )
    return in_balls(real, drawn, ball_radii(drawn, NEIGHBOUR)).tolist()
