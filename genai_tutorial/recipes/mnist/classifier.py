"""The recipe for the small network that reads digits, whose features the book's image
metrics compare.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from genai_tutorial.data import Source, load_mnist_split, random_affine
from genai_tutorial.data.mnist import SOURCE
from genai_tutorial.metrics import (
    DigitClassifier,
    DigitClassifierConfig,
    expected_calibration_error,
    read_digits,
)
from genai_tutorial.training import AdamW, Schedule, parallel, warmup_cosine

from ..recipe import Recipe, RunSettings, Trained
from ..spot_check import SpotCheck, draw_items


@dataclass(frozen=True, kw_only=True)
class DigitClassifierRecipe(Recipe):
    """A classifier trained on 4,000 digits with data augmentation: each is shifted,
    rotated and stretched a little, differently each time.
    """

    config: DigitClassifierConfig
    learning_rate: float
    weight_decay: float

    source: ClassVar[Source] = SOURCE

    def schedule(self) -> Schedule:
        """Return the schedule of the learning rate over the recipe's steps."""
        return warmup_cosine(self.steps, self.warmup_steps)

    def build(self) -> DigitClassifier:
        """Return the untrained network."""
        return DigitClassifier(self.config, self.seed)

    def fit(self, run: RunSettings) -> Trained:
        """Train the network, or resume a run that was stopped."""
        train, _ = load_mnist_split()
        model = self.build().to(run.device)
        generator = torch.Generator().manual_seed(self.seed)

        def loss(model, images: Tensor, labels: Tensor) -> Tensor:
            logits = model(random_affine(images, generator))
            return functional.cross_entropy(logits, labels)

        average, history = run.fit(
            parallel(model),
            run.batches((train.images, train.labels), self.batch_size, self.seed),
            loss,
            AdamW(
                model.parameters(),
                lr=self.learning_rate,
                betas=(0.9, 0.99),
                weight_decay=self.weight_decay,
            ),
            schedule=self.schedule(),
            ema_decay=self.ema_decay,
            generators=[generator],
        )
        return Trained(average, history.seconds)

    def measure(self, model: DigitClassifier) -> dict:
        """Return the accuracy, the cross-entropy and the calibration on the held-out
        digits.
        """
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

    def spot_check(self, loaded: DigitClassifier, n: int, seed: int) -> SpotCheck:
        """Measure the accuracy."""
        _, held_out = load_mnist_split()
        sample = draw_items(range(len(held_out)), n, seed)
        reading = read_digits(loaded, held_out.images[sample])
        return SpotCheck(
            "held_out_accuracy", (reading.labels == held_out.labels[sample]).tolist()
        )

    def summary(self, metrics: dict) -> str:
        """Return the accuracy as a phrase."""
        return f"{metrics['held_out_accuracy']:.1%} of unseen digits read correctly"


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
    published=True,
)
"""The classifier whose features are used for the Fréchet distance, precision and
recall.
"""
