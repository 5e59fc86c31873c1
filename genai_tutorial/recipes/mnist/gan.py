"""The recipe of the generator that draws handwritten digits in one pass."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genai_tutorial.data.mnist import SOURCE
from genai_tutorial.data.source import Source
from genai_tutorial.gan import (
    NON_SATURATING,
    DigitDiscriminator,
    DigitGANConfig,
    DigitGenerator,
    r1_penalty,
)
from genai_tutorial.metrics import frechet_distance, precision_recall, read_digits
from genai_tutorial.recipes.files import load_recipe
from genai_tutorial.recipes.mnist.classifier import (
    DIGIT_CLASSIFIER,
    move_slightly,
    split,
)
from genai_tutorial.recipes.recipe import RunSettings, Trained, Wishes
from genai_tutorial.training import (
    EMA,
    AdamW,
    TensorBatches,
    draw_noise,
    fit_adversarial,
    warmup_linear,
)

MEASURED = 1000
"""How many images are drawn to measure a generator."""

SAVE_EVERY = 1000
"""After how many steps a run saves itself: steps are short here, and a checkpoint holds
both players.
"""


@dataclass(frozen=True)
class DigitGANRecipe:
    """How a generator learns to draw digits that a discriminator takes for some of
    4,000 real ones.

    Attributes:
        name: What `train` and `load` call it.
        title: What it is, in one line.
        config: The sizes of both players.
        lr: The highest learning rate, of both players.
        weight_decay: The part of each weight of the generator that is taken away per
            unit of learning rate.
        penalty: What the squared slope of the discriminator at real images is
            multiplied with.
        penalty_every: After how many steps the penalty is paid, for all of them at
            once.
        batch_size: The number of real images in a batch.
        steps: How many steps each player takes.
        warmup_steps: How many steps the learning rates rise for; from there they fall
            in a straight line to zero.
        ema_decay: Decay of the moving average of the generator's weights,
            which is what the file holds.
        seed: Decides the first weights, the batches, the noise and how images are
            moved.
        published: Whether the package carries the trained model.
    """

    name: str
    title: str
    config: DigitGANConfig
    lr: float
    weight_decay: float
    penalty: float
    penalty_every: int
    batch_size: int
    steps: int
    warmup_steps: int
    ema_decay: float
    seed: int = 0
    published: bool = False

    source: ClassVar[Source] = SOURCE
    takes: ClassVar[tuple[str, ...]] = ("digit",)

    def build(self, about: dict) -> DigitGenerator:
        """Return the generator that a card describes, its weights not read yet."""
        return DigitGenerator(DigitGANConfig(**about["recipe"]["config"]))

    def fit(self, settings: RunSettings) -> Trained:
        """Trains both players, or goes on with a run that was stopped; only one process
        takes part.
        """
        train, _ = split()
        generator = DigitGenerator(self.config, self.seed).to(settings.device)
        discriminator = DigitDiscriminator(self.config, self.seed + 1).to(
            settings.device
        )
        average = EMA(generator, self.ema_decay)
        history = fit_adversarial(
            generator,
            discriminator,
            MovedBatches(train.images, train.labels, self.batch_size, self.seed),
            NON_SATURATING,
            AdamW(
                generator.parameters(),
                self.lr,
                betas=(0.0, 0.99),
                weight_decay=self.weight_decay,
            ),
            AdamW(discriminator.parameters(), self.lr, betas=(0.0, 0.99)),
            steps=settings.steps,
            noise=torch.Generator().manual_seed(self.seed),
            penalty=lambda judge, real, _, labels: (
                self.penalty * r1_penalty(judge, real, labels)
            ),
            penalty_every=self.penalty_every,
            schedule=warmup_linear(self.steps, self.warmup_steps).over(settings.steps),
            ema=average,
            checkpoint=replace(settings.checkpoint, every=SAVE_EVERY),
            progress=settings.progress,
        )
        return Trained(average.model, history.seconds)

    def measure(self, model: DigitGenerator) -> dict:
        """Return how the images compare with the held-out digits, and how many show
        the digit that was ordered.
        """
        classifier = load_recipe(DIGIT_CLASSIFIER)
        _, held_out = split()
        labels = torch.arange(MEASURED) % self.config.classes
        drawn = read_digits(classifier, draw_digits(model, labels, seed=self.seed))
        real = read_digits(classifier, held_out.images)
        found = precision_recall(real.features, drawn.features, k=3)
        return {
            "frechet_distance": round(
                float(frechet_distance(real.features, drawn.features)), 3
            ),
            "precision": round(float(found.precision), 4),
            "recall": round(float(found.recall), 4),
            "digit_as_ordered": round(
                float((drawn.labels == labels).double().mean()), 4
            ),
            "drawn_images": MEASURED,
            "held_out_images": len(held_out),
        }

    def headline(self, metrics: dict) -> str:
        """Return the Fréchet distance in words."""
        return (
            f"a Fréchet distance of {metrics['frechet_distance']:.2f} from unseen "
            "digits"
        )

    def ready(self, model: DigitGenerator, about: dict) -> DigitGenerator:
        """Return the generator as it is."""
        return model

    def draw(
        self, loaded: DigitGenerator, wishes: Wishes, count: int, seed: int
    ) -> Float[Tensor, "count 28 28"]:
        """Return digits: each in turn, or the one that is wished.

        Raises:
            ValueError: If there is no such digit.
        """
        classes = self.config.classes
        if wishes.digit is not None and not 0 <= wishes.digit < classes:
            raise ValueError(
                f"digit must be from 0 to {classes - 1}, got {wishes.digit}."
            )
        labels = (
            torch.arange(count) % classes
            if wishes.digit is None
            else torch.full((count,), wishes.digit)
        )
        return draw_digits(loaded, labels, seed)


@torch.no_grad()
def draw_digits(
    model: DigitGenerator, labels: Int[Tensor, "count"], seed: int
) -> Float[Tensor, "count 28 28"]:
    """Draws a digit for each label, in one pass."""
    return model(
        draw_noise(model, len(labels), torch.Generator().manual_seed(seed)), labels
    )


class MovedBatches:
    """Batches of images with their labels, each image turned, stretched and moved a
    little, anew each time it comes.

    With a few thousand images, the discriminator would soon know each of them by heart.

    Args:
        images: Brightness from 0 (background) to 1 (ink).
        labels: The class of each image.
        batch_size: The number of images in a batch.
        seed: Decides the order and the moves.
    """

    def __init__(self, images: Tensor, labels: Tensor, batch_size: int, seed: int):
        self._batches = TensorBatches((images, labels), batch_size, seed)
        self._moves = torch.Generator().manual_seed(seed)

    def __iter__(self) -> "MovedBatches":
        return self

    def __next__(self) -> tuple[Tensor, Tensor]:
        """Return moved images and their labels."""
        images, labels = next(self._batches)
        return move_slightly(
            images, self._moves, degrees=6, stretching=0.05, pixels=0.7
        ), labels

    def state_dict(self) -> dict:
        """Return what decides all batches to come."""
        return {"batches": self._batches.state_dict(), "moves": self._moves.get_state()}

    def load_state_dict(self, state: dict) -> None:
        """Goes on from where `state_dict` was called."""
        self._batches.load_state_dict(state["batches"])
        self._moves.set_state(state["moves"])


MNIST_GAN = DigitGANRecipe(
    name="mnist-gan",
    title=(
        "A generator of half a million weights that draws a handwritten digit in one "
        "pass"
    ),
    config=DigitGANConfig(generator_widths=(256, 512), discriminator_widths=(512, 256)),
    lr=1e-3,
    weight_decay=0.2,
    penalty=0.5,
    penalty_every=4,
    batch_size=64,
    steps=12_000,
    warmup_steps=100,
    ema_decay=0.998,
    published=True,
)
"""The generator that chapter 7 loads."""
