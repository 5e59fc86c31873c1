"""The recipes of the diffusion models that draw handwritten digits."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genai_tutorial.data.mnist import SOURCE
from genai_tutorial.data.source import Source
from genai_tutorial.diffusion import (
    VELOCITY,
    UNet,
    UNetConfig,
    cosine_schedule,
    diffusion_loss,
    drop_labels,
    sample_images,
)
from genai_tutorial.metrics import (
    check_copies,
    frechet_distance,
    precision_recall,
    read_digits,
)
from genai_tutorial.recipes.files import load_recipe
from genai_tutorial.recipes.mnist.classifier import (
    DIGIT_CLASSIFIER,
    move_slightly,
    split,
)
from genai_tutorial.recipes.recipe import RunSettings, Trained, Wishes
from genai_tutorial.training import (
    EMA,
    OptimizerSettings,
    Schedule,
    TensorBatches,
    build_optimizer,
    fit,
    parallel,
)

PATH = cosine_schedule(1000)
"""The way into noise of all models here; what they predict is the velocity, `VELOCITY`.
"""

MEASURED = 1000
"""How many images are drawn to measure a model."""


@dataclass(frozen=True)
class DigitDiffusionRecipe:
    """How a U-Net learns to draw digits from 4,000 of them.

    Attributes:
        name: What `train` and `load` call it.
        title: What it is, in one line.
        config: The network's settings.
        optimizer: The optimisers' settings.
        batch_size: The number of images in a batch.
        steps: The number of batches.
        warmup_steps: How many steps the learning rates rise for; from there they fall
            in a straight line.
        final_factor: The factor that this fall ends at.
        cooldown_steps: How many steps at the end the learning rates then take to zero.
        ema_decay: Decay of the moving average of the weights,
            which is what the file holds.
        label_dropout: The share of labels that are hidden, so that guidance is
            possible.
        moved: The share of images that are turned, stretched and moved a little before
            they come.
        sampler_steps: How many steps of DDIM a sample takes, if nothing else is wished.
        guidance: How strongly a sample is pulled towards its digit, if nothing else is
            wished.
        seed: Decides the first weights, the batches and the noise.
        published: Whether the package carries the trained model.
    """

    name: str
    title: str
    config: UNetConfig
    optimizer: OptimizerSettings
    batch_size: int
    steps: int
    warmup_steps: int
    ema_decay: float
    label_dropout: float = 0.1
    moved: float = 0.0
    sampler_steps: int = 25
    guidance: float = 1.5
    final_factor: float = 0.0
    cooldown_steps: int = 0
    seed: int = 0
    published: bool = False

    source: ClassVar[Source] = SOURCE
    takes: ClassVar[tuple[str, ...]] = ("digit", "steps", "guidance")

    def build(self, about: dict) -> UNet:
        """Return the network that a card describes, its weights not read yet."""
        return UNet(UNetConfig(**about["recipe"]["config"]))

    def fit(self, settings: RunSettings) -> Trained:
        """Trains the network, or goes on with a run that was stopped."""
        train, _ = split()
        model = UNet(self.config, self.seed).to(settings.device)
        average = EMA(model, self.ema_decay)
        generator = torch.Generator().manual_seed(self.seed)
        history = fit(
            parallel(model),
            TensorBatches(
                (train.images, train.labels),
                self.batch_size,
                self.seed,
                rank=settings.process.rank,
                world_size=settings.process.world_size,
            ),
            lambda model, images, labels: self.loss(model, images, labels, generator),
            build_optimizer(model, self.optimizer),
            steps=settings.steps,
            schedule=self.schedule().over(settings.steps),
            ema=average,
            checkpoint=settings.checkpoint,
            generators=[generator],
            progress=settings.progress,
        )
        return Trained(average.model, history.seconds)

    def schedule(self) -> Schedule:
        """Return the course of the learning rates over the recipe's steps."""
        return Schedule(
            self.steps,
            self.warmup_steps,
            decay="linear",
            final_factor=self.final_factor,
            cooldown_steps=self.cooldown_steps,
        )

    def loss(
        self,
        model: nn.Module,
        images: Tensor,
        labels: Tensor,
        generator: torch.Generator,
    ) -> Float[Tensor, ""]:
        """Return the loss of a batch of images with brightness from 0 to 1, drawn by
        the generator.
        """
        if self.moved:
            chosen = (torch.rand(len(images), generator=generator) < self.moved).to(
                images.device
            )
            images = torch.where(
                chosen[:, None, None], _moved(images, generator), images
            )
        labels = drop_labels(
            labels, self.label_dropout, no_label=10, generator=generator
        )
        return diffusion_loss(
            model, PATH, VELOCITY, 2 * images[:, None] - 1, labels, generator=generator
        )

    def ready(self, model: UNet, about: dict) -> UNet:
        """Return the network as it is."""
        return model

    def measure(self, model: UNet) -> dict:
        """Return how the digits compare with held-out ones, how many are as ordered,
        and how many are copies.
        """
        classifier = load_recipe(DIGIT_CLASSIFIER)
        train, held_out = split()
        labels = torch.arange(MEASURED) % 10
        images = draw_digits(
            model,
            labels,
            steps=self.sampler_steps,
            guidance=self.guidance,
            seed=self.seed,
        )
        drawn, real = (
            read_digits(classifier, images),
            read_digits(classifier, held_out.images),
        )
        found = precision_recall(real.features, drawn.features, k=3)
        check = check_copies(images, train.images, held_out.images)
        return {
            "frechet_distance": round(
                frechet_distance(real.features, drawn.features), 3
            ),
            "precision": round(found.precision, 4),
            "recall": round(found.recall, 4),
            "digit_as_ordered": round(
                float((drawn.labels == labels).double().mean()), 4
            ),
            "copies": int(check.copies().sum()),
            "distance_to_nearest_training_image": round(
                float(check.sample_distances.median()), 3
            ),
            "the_same_of_held_out_images": round(
                float(check.held_out_distances.median()), 3
            ),
            "drawn_images": MEASURED,
            "held_out_images": len(held_out),
            "sampler": f"DDIM, {self.sampler_steps} steps, guidance {self.guidance}",
        }

    def headline(self, metrics: dict) -> str:
        """Return the Fréchet distance in words."""
        return (
            f"a Fréchet distance of {metrics['frechet_distance']:.2f} from unseen "
            "digits"
        )

    def draw(
        self, loaded: UNet, wishes: Wishes, count: int, seed: int
    ) -> Float[Tensor, "count 28 28"]:
        """Return digits: each in turn, or the one that is wished.

        Raises:
            ValueError: If there is no such digit, or the schedule has not so many
                steps.
        """
        if wishes.digit is not None and not 0 <= wishes.digit <= 9:
            raise ValueError(f"digit must be from 0 to 9, got {wishes.digit}.")
        labels = (
            torch.arange(count) % 10
            if wishes.digit is None
            else torch.full((count,), wishes.digit)
        )
        return draw_digits(
            loaded,
            labels,
            steps=self.sampler_steps if wishes.steps is None else wishes.steps,
            guidance=self.guidance if wishes.guidance is None else wishes.guidance,
            seed=seed,
        )


def draw_digits(
    model: nn.Module,
    labels: Int[Tensor, "n"],
    *,
    steps: int,
    guidance: float | int,
    seed: int,
) -> Float[Tensor, "n 28 28"]:
    """Draws a digit for each label, with DDIM; brightness from 0 to 1.

    Args:
        model: A network of one of these recipes.
        labels: The digits, or 10 for any.
        steps: How many steps the sampler takes.
        guidance: How strongly the samples are pulled towards their digits; 1 for not at
            all.
        seed: Decides the noise to begin with.
    """
    images = sample_images(
        model,
        PATH,
        VELOCITY,
        labels,
        (len(labels), 1, 28, 28),
        steps=steps,
        seed=seed,
        guidance=guidance,
        batch_size=250,  # 1,000 images do not fit into the CPU cache
    )
    return images[:, 0]


def _moved(images: Tensor, generator: torch.Generator) -> Tensor:
    return move_slightly(images, generator, degrees=8, stretching=0.06, pixels=0.7)


LIVE = DigitDiffusionRecipe(
    name="mnist-diffusion-live",
    title=(
        "A U-Net of 0.3 million weights that learns to draw legible digits in less "
        "than a minute"
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
    steps=700,
    warmup_steps=20,
    ema_decay=0.98,
)
"""The model that chapter 8 trains while you wait."""

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
    moved=0.5,
    final_factor=20 / 59,
    cooldown_steps=600,
    published=True,
)
"""The model that chapter 8 loads."""
