"""The recipe of the small network that reads digits, whose features the book's image
metrics compare.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from genai_tutorial.data import load_mnist
from genai_tutorial.data.images import Images
from genai_tutorial.data.mnist import SOURCE
from genai_tutorial.data.source import Source
from genai_tutorial.metrics import (
    DigitClassifier,
    DigitClassifierConfig,
    expected_calibration_error,
    read_digits,
)
from genai_tutorial.recipes.recipe import RunSettings, Trained
from genai_tutorial.training import (
    EMA,
    AdamW,
    TensorBatches,
    fit,
    parallel,
    warmup_cosine,
)

TRAIN_PER_CLASS, SPLIT_SEED = 400, 0
"""Which images of MNIST-5k all image chapters train on; the other 1,000 are held out.
"""


@dataclass(frozen=True)
class DigitClassifierRecipe:
    """How the classifier is made from 4,000 digits, each moved, turned and stretched a
    little every time it comes.

    Attributes:
        name: What `train` and `load` call it.
        title: What it is, in one line.
        config: The network's sizes.
        lr: The highest learning rate.
        weight_decay: The part of each weight that is taken away per unit of learning
            rate.
        batch_size: The number of images in a batch.
        steps: The number of batches.
        warmup_steps: How many steps the learning rate rises for; from there it falls
            along half a cosine wave.
        ema_decay: Decay of the moving average of the weights,
            which is what the file holds.
        seed: Decides the first weights, the batches and how the images are moved.
        published: Whether the package carries the trained model.
    """

    name: str
    title: str
    config: DigitClassifierConfig
    lr: float
    weight_decay: float
    batch_size: int
    steps: int
    warmup_steps: int
    ema_decay: float
    seed: int = 0
    published: bool = False

    source: ClassVar[Source] = SOURCE

    def build(self, about: dict) -> DigitClassifier:
        """Return the network that a card describes, its weights not read yet."""
        return DigitClassifier(DigitClassifierConfig(**about["recipe"]["config"]))

    def fit(self, settings: RunSettings) -> Trained:
        """Trains the network, or goes on with a run that was stopped."""
        train, _ = split()
        model = DigitClassifier(self.config, self.seed).to(settings.device)
        average = EMA(model, self.ema_decay)
        moves = torch.Generator().manual_seed(self.seed)

        def loss(model, images: Tensor, labels: Tensor) -> Tensor:
            return functional.cross_entropy(model(move_slightly(images, moves)), labels)

        history = fit(
            parallel(model),
            TensorBatches(
                (train.images, train.labels),
                self.batch_size,
                self.seed,
                rank=settings.process.rank,
                world_size=settings.process.world_size,
            ),
            loss,
            AdamW(
                model.parameters(),
                lr=self.lr,
                betas=(0.9, 0.99),
                weight_decay=self.weight_decay,
            ),
            steps=settings.steps,
            schedule=warmup_cosine(self.steps, self.warmup_steps).over(settings.steps),
            ema=average,
            checkpoint=settings.checkpoint,
            generators=[moves],
            progress=settings.progress,
        )
        return Trained(average.model, history.seconds)

    def measure(self, model: DigitClassifier) -> dict:
        """Return how often the network is right about the held-out digits, and how
        well it knows when it is.
        """
        _, held_out = split()
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
            "split": (
                f"load_mnist().split(train_per_class={TRAIN_PER_CLASS}, "
                f"seed={SPLIT_SEED})"
            ),
        }

    def headline(self, metrics: dict) -> str:
        """Return the accuracy in words."""
        return f"{metrics['held_out_accuracy']:.1%} of unseen digits read correctly"

    def ready(self, model: DigitClassifier, about: dict) -> DigitClassifier:
        """Return the network as it is."""
        return model


def split() -> tuple[Images, Images]:
    """Return the training images and the held-out images of the image chapters."""
    return load_mnist().split(train_per_class=TRAIN_PER_CLASS, seed=SPLIT_SEED)


def move_slightly(
    images: Float[Tensor, "batch height width"],
    generator: torch.Generator,
    *,
    degrees: float | int = 12,
    stretching: float = 0.1,
    pixels: float | int = 2,
) -> Float[Tensor, "batch height width"]:
    """Turn each image a little, stretches it and moves it.

    Args:
        images: With a background of 0.
        generator: Decides how each is moved; on the CPU.
        degrees: The most that an image is turned, to either side.
        stretching: The greatest part of its size by which it grows or shrinks.
        pixels: The most that it is moved in each direction.
    """
    count, height, width = images.shape
    angle, stretch, right, down = (
        2 * torch.rand(4, count, generator=generator) - 1
    ).to(images.device)
    angle, stretch = angle * math.radians(degrees), 1 + stretching * stretch
    cosine, sine = angle.cos() * stretch, angle.sin() * stretch
    rows = torch.stack(
        [
            cosine,
            -sine,
            2 * pixels * right / width,
            sine,
            cosine,
            2 * pixels * down / height,
        ],
        dim=1,
    )
    places = functional.affine_grid(
        rows.view(count, 2, 3), [count, 1, height, width], align_corners=False
    )
    return functional.grid_sample(images[:, None], places, align_corners=False)[:, 0]


DIGIT_CLASSIFIER = DigitClassifierRecipe(
    name="digit-classifier",
    title=(
        "A network of 60,000 weights that reads handwritten digits, for the image "
        "metrics"
    ),
    config=DigitClassifierConfig(),
    lr=2e-3,
    weight_decay=0.05,
    batch_size=64,
    steps=2000,
    warmup_steps=50,
    ema_decay=0.99,
    published=True,
)
"""The classifier whose features serve the Fréchet distance, precision and recall."""
