"""The recipe for `mnist-gan`, a generator of handwritten digits."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genai_tutorial.data import Source, load_mnist_split, random_affine
from genai_tutorial.data.mnist import SOURCE
from genai_tutorial.gan import DigitGANConfig, DigitGenerator
from genai_tutorial.recipes.mnist.gan_training import GANRecipe
from genai_tutorial.recipes.mnist.measure import (
    N_EVAL_IMAGES,
    digits_summary,
    measure_digits,
    spot_check_labels,
)
from genai_tutorial.recipes.mnist.options import GANOptions
from genai_tutorial.recipes.recipe import RunSettings, Trained
from genai_tutorial.recipes.spot_check import SpotCheck
from genai_tutorial.training import TensorBatches, draw_noise


@dataclass(frozen=True, kw_only=True)
class DigitGANRecipe(GANRecipe):
    """Conditional GAN of digits, trained on 4,000 real ones with data augmentation."""

    source: ClassVar[Source] = SOURCE
    makes: ClassVar[str] = "images"

    @property
    def options(self) -> GANOptions:
        """Default options: the ten digits in turn."""
        return GANOptions()

    def fit(self, run: RunSettings) -> Trained:
        """Train both players in one process, or resume a run that was stopped."""
        train, _ = load_mnist_split()
        generator, history = self.fit_players(
            run,
            AugmentedBatches(train.images, train.labels, self.batch_size, self.seed),
        )
        return Trained(generator, history.seconds)

    def measure(self, model: DigitGenerator) -> dict:
        """Compare generated images with the held-out digits and with their labels."""
        labels = torch.arange(N_EVAL_IMAGES) % self.config.classes
        images = draw_digits(model, labels, seed=self.seed)
        return measure_digits(images, labels) | {
            "drawn_images": N_EVAL_IMAGES,
            "held_out_images": len(load_mnist_split()[1]),
        }

    def spot_check(self, loaded: DigitGenerator, n: int, seed: int) -> SpotCheck:
        """Measure how many generated digits show their label."""
        return spot_check_labels(
            lambda labels: draw_digits(loaded, labels, seed), n, seed
        )

    def summary(self, metrics: dict) -> str:
        """Return the Fréchet distance as a phrase."""
        return digits_summary(metrics)

    def draw(
        self, loaded: DigitGenerator, options: GANOptions, count: int, seed: int
    ) -> Float[Tensor, "count 28 28"]:
        """Generate digits."""
        return draw_digits(loaded, options.labels(count), seed)


@torch.no_grad()
def draw_digits(
    model: DigitGenerator, labels: Int[Tensor, "count"], seed: int
) -> Float[Tensor, "count 28 28"]:
    """Generate one digit per label, in one forward pass."""
    noise = draw_noise(model, len(labels), torch.Generator().manual_seed(seed))
    return model(noise, labels.to(noise.device))


class AugmentedBatches:
    """Batches of labelled images with data augmentation: each image is rotated, scaled
    and shifted slightly, differently each time.

    Without it, the discriminator would soon memorize the few thousand images.

    Args:
        images: Brightness from 0 (background) to 1 (ink).
        labels: The class of each image.
        batch_size: The number of images in a batch.
        seed: Seed of the order and the augmentation.
    """

    def __init__(self, images: Tensor, labels: Tensor, batch_size: int, seed: int):
        self._batches = TensorBatches((images, labels), batch_size, seed)
        self._generator = torch.Generator().manual_seed(seed)

    def __iter__(self) -> "AugmentedBatches":
        return self

    def __next__(self) -> tuple[Tensor, Tensor]:
        """Return augmented images and their labels."""
        images, labels = next(self._batches)
        return random_affine(
            images, self._generator, degrees=6, stretching=0.05, pixels=0.7
        ), labels

    def state_dict(self) -> dict:
        """Return the state that determines all later batches."""
        return {
            "batches": self._batches.state_dict(),
            "generator": self._generator.get_state(),
        }

    def load_state_dict(self, state: dict) -> None:
        """Continue from where `state_dict` was called."""
        self._batches.load_state_dict(state["batches"])
        self._generator.set_state(state["generator"])


MNIST_GAN = DigitGANRecipe(
    name="mnist-gan",
    title=(
        "A generator of half a million weights that draws a handwritten digit in one "
        "pass"
    ),
    config=DigitGANConfig(generator_widths=(256, 512), discriminator_widths=(512, 256)),
    learning_rate=1e-3,
    weight_decay=0.2,
    penalty=0.5,
    penalty_every=4,
    batch_size=64,
    steps=12_000,
    warmup_steps=100,
    ema_decay=0.998,
    published=True,
)
"""The generator of chapter 7."""
