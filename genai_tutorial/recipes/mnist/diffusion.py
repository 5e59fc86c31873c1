"""Recipes for the diffusion models that draw handwritten digits."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genai_tutorial.data import Source, load_mnist_split, random_affine
from genai_tutorial.data.mnist import SOURCE
from genai_tutorial.diffusion import (
    VELOCITY,
    UNet,
    UNetConfig,
    cosine_schedule,
    diffusion_loss,
    drop_labels,
    sample_images,
)
from genai_tutorial.metrics import copy_test
from genai_tutorial.training import OptimizerSettings, build_optimizer, parallel

from ..recipe import Recipe, RunSettings, Trained
from ..spot_check import SpotCheck
from .measure import N_EVAL_IMAGES, digits_summary, measure_digits, spot_check_labels
from .options import DigitOptions

SCHEDULE = cosine_schedule(1000)
"""The noise schedule of all models here; they predict the velocity, `VELOCITY`."""


@dataclass(frozen=True, kw_only=True)
class DigitDiffusionRecipe(Recipe):
    """A U-Net that learns to draw digits from 4,000 examples."""

    config: UNetConfig
    label_dropout: float = 0.1
    augmentation_probability: float = 0.0
    sampler_steps: int = 25
    guidance: float = 1.5

    source: ClassVar[Source] = SOURCE
    makes: ClassVar[str] = "images"

    @property
    def options(self) -> DigitOptions:
        """All digits in turn, with the recipe's sampler."""
        return DigitOptions(steps=self.sampler_steps, guidance=self.guidance)

    def build(self) -> UNet:
        """Return the untrained network."""
        return UNet(self.config, self.seed)

    def fit(self, run: RunSettings) -> Trained:
        """Train the network, or resume a run that was stopped."""
        train, _ = load_mnist_split()
        model = self.build().to(run.device)
        generator = torch.Generator().manual_seed(self.seed)
        average, history = run.fit(
            parallel(model),
            run.batches((train.images, train.labels), self.batch_size, self.seed),
            lambda model, images, labels: self.loss(model, images, labels, generator),
            build_optimizer(model, self.optimizer),
            schedule=self.schedule(),
            ema_decay=self.ema_decay,
            generators=[generator],
        )
        return Trained(average, history.seconds)

    def loss(
        self,
        model: nn.Module,
        images: Tensor,
        labels: Tensor,
        generator: torch.Generator,
    ) -> Float[Tensor, ""]:
        """Return the loss of a batch of images with brightness from 0 to 1; the
        generator draws the augmentation, the dropped labels and the noise.
        """
        if self.augmentation_probability:
            draws = torch.rand(len(images), generator=generator)
            is_augmented = (draws < self.augmentation_probability).to(images.device)
            augmented = random_affine(
                images, generator, degrees=8, stretching=0.06, pixels=0.7
            )
            images = torch.where(is_augmented[:, None, None], augmented, images)
        labels = drop_labels(
            labels, self.label_dropout, no_label=10, generator=generator
        )
        return diffusion_loss(
            model,
            SCHEDULE,
            VELOCITY,
            2 * images[:, None] - 1,
            labels,
            generator=generator,
        )

    def measure(self, model: UNet) -> dict:
        """Return how the drawn digits compare with held-out ones, how many show their
        label, and whether they are copies.
        """
        train, held_out = load_mnist_split()
        labels = torch.arange(N_EVAL_IMAGES) % 10
        images = self._draw_labels(model, labels, self.seed)
        copies = copy_test(images, train.images, held_out.images)
        return measure_digits(images, labels) | {
            "nearer_to_train": round(copies.nearer_to_train, 3),
            "nearer_to_train_without_copying": round(copies.expected, 3),
            "drawn_images": N_EVAL_IMAGES,
            "held_out_images": len(held_out),
            "sampler": f"DDIM, {self.sampler_steps} steps, guidance {self.guidance}",
        }

    def spot_check(self, loaded: UNet, n: int, seed: int) -> SpotCheck:
        """Measure how many drawn digits show their label."""
        return spot_check_labels(
            lambda labels: self._draw_labels(loaded, labels, seed), n, seed
        )

    def summary(self, metrics: dict) -> str:
        """Return the Fréchet distance as a phrase."""
        return digits_summary(metrics)

    def draw(
        self, loaded: UNet, options: DigitOptions, count: int, seed: int
    ) -> Float[Tensor, "count 28 28"]:
        """Return digits."""
        return draw_digits(
            loaded,
            options.labels(count),
            steps=options.steps,
            guidance=options.guidance,
            seed=seed,
        )

    def _draw_labels(
        self, model: nn.Module, labels: Int[Tensor, "n"], seed: int
    ) -> Float[Tensor, "n 28 28"]:
        return draw_digits(
            model, labels, steps=self.sampler_steps, guidance=self.guidance, seed=seed
        )


def draw_digits(
    model: nn.Module,
    labels: Int[Tensor, "n"],
    *,
    steps: int,
    guidance: float | int,
    seed: int,
) -> Float[Tensor, "n 28 28"]:
    """Draw a digit for each label with DDIM, with brightness from 0 to 1."""
    images = sample_images(
        model,
        SCHEDULE,
        VELOCITY,
        labels,
        (len(labels), 1, 28, 28),
        steps=steps,
        seed=seed,
        guidance=guidance,
        batch_size=250,  # 1,000 images do not fit into the CPU cache
    )
    return images[:, 0]


LIVE = DigitDiffusionRecipe(
    name="mnist-diffusion-live",
    title=(
        "A U-Net of 0.3 million weights that learns to draw legible digits in about "
        "half a minute"
    ),
    config=UNetConfig(channels=(16, 64), image_size=28),
    optimizer=OptimizerSettings(
        matrix_lr=0.03,
        kernel_lr=0.03,
        embedding_lr=0.01,
        head_lr=0.005,
        vector_lr=0.003,
        momentum=0.95,
    ),
    batch_size=64,
    steps=320,
    warmup_steps=20,
    ema_decay=0.98,
)
"""The model that chapter 8 trains live."""

LONGER = DigitDiffusionRecipe(
    name="mnist-diffusion",
    title=(
        "A U-Net of 0.9 million weights that draws handwritten digits: 4,600 steps, 40 "
        "minutes on one busy core"
    ),
    config=UNetConfig(channels=(32, 128), image_size=28),
    optimizer=OptimizerSettings(
        matrix_lr=0.02,
        kernel_lr=0.02,
        embedding_lr=0.01,
        head_lr=0.003,
        vector_lr=0.003,
        momentum=0.95,
    ),
    batch_size=64,
    steps=4600,
    warmup_steps=100,
    ema_decay=0.998,
    augmentation_probability=0.5,
    final_factor=20 / 59,
    cooldown_steps=600,
    published=True,
)
"""The model that chapter 8 loads."""
