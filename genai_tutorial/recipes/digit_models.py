"""Recipes for the models that draw handwritten digits: two diffusion models and a
conditional GAN.
"""

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genai_tutorial.data import MNIST_SOURCE, load_mnist_split, random_affine
from genai_tutorial.diffusion import (
    VELOCITY,
    UNet,
    UNetConfig,
    cosine_schedule,
    diffusion_loss,
    drop_labels,
    sample_images,
)
from genai_tutorial.gan import (
    NON_SATURATING,
    DigitDiscriminator,
    DigitGANConfig,
    DigitGenerator,
    r1_penalty,
)
from genai_tutorial.metrics import copy_test, read_digits
from genai_tutorial.training import (
    EMA,
    AdamW,
    AdversarialHistory,
    Players,
    TensorBatches,
    draw_noise,
    fit_adversarial,
)

from .digit_classifier import (
    DIGIT_CLASSIFIER,
    DIGITS_IN_WORDS,
    N_EVAL_IMAGES,
    measure_digits,
)
from .recipe import (
    FAST_U_NET_RATES,
    U_NET_RATES,
    ImageSamples,
    Recipe,
    RunSettings,
    Trained,
    load_recipe,
)

SCHEDULE = cosine_schedule(1000)
"""The noise schedule of all models here; they predict the velocity, `VELOCITY`."""


@dataclass(frozen=True, kw_only=True)
class GANOptions:
    """The options of a generator that draws in one pass."""

    digit: int | None = None

    def __post_init__(self):
        if self.digit is not None and not 0 <= self.digit <= 9:
            raise ValueError(f"digit must be from 0 to 9, got {self.digit}.")

    def labels(self, count: int) -> Int[Tensor, "count"]:
        """Return the label of each of `count` images."""
        if self.digit is None:
            return torch.arange(count) % 10
        return torch.full((count,), self.digit)


@dataclass(frozen=True, kw_only=True)
class DigitOptions(GANOptions):
    """The options of a diffusion model that is conditioned on labels."""

    steps: int
    guidance: float | int


@dataclass(frozen=True, kw_only=True)
class DigitRecipe(Recipe):
    """A recipe whose model draws the digit of a label."""

    source = MNIST_SOURCE
    makes = "images"
    metric = "digit_as_ordered"
    in_words = DIGITS_IN_WORDS

    @abstractmethod
    def draw(
        self, model: nn.Module, labels: Int[Tensor, "n"], options: GANOptions, seed: int
    ) -> Float[Tensor, "n 28 28"]:
        """Draw a digit for each label."""

    def score(self, loaded: nn.Module, n: int, seed: int) -> list:
        labels = torch.randint(10, (n,), generator=torch.Generator().manual_seed(seed))
        drawn = self.draw(loaded, labels, self.options, seed)
        reading = read_digits(load_recipe(DIGIT_CLASSIFIER), drawn)
        return (reading.labels == labels).tolist()

    def sample(
        self, loaded: nn.Module, options: GANOptions, count: int, seed: int
    ) -> ImageSamples:
        return ImageSamples(self.draw(loaded, options.labels(count), options, seed))


@dataclass(frozen=True, kw_only=True)
class DigitDiffusionRecipe(DigitRecipe):
    """A U-Net that learns to draw digits from 4,000 examples."""

    config: UNetConfig
    label_dropout: float = 0.1
    augmentation_probability: float = 0.0

    network = UNet
    options = DigitOptions(steps=25, guidance=1.5)

    def fit(self, run: RunSettings) -> Trained:
        train, _ = load_mnist_split()
        return run.fit(
            self,
            self.build(),
            run.batches(self, train.images, train.labels),
            self.loss,
            generator=torch.Generator().manual_seed(self.seed),
        )

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
        train, held_out = load_mnist_split()
        chosen, labels = self.options, torch.arange(N_EVAL_IMAGES) % 10
        images = self.draw(model, labels, chosen, self.seed)
        copies = copy_test(images, train.images, held_out.images)
        return measure_digits(images, labels) | {
            "nearer_to_train": round(copies.nearer_to_train, 3),
            "nearer_to_train_without_copying": round(copies.expected, 3),
            "drawn_images": N_EVAL_IMAGES,
            "held_out_images": len(held_out),
            "sampler": f"DDIM, {chosen.steps} steps, guidance {chosen.guidance}",
        }

    def draw(
        self, model: UNet, labels: Int[Tensor, "n"], options: DigitOptions, seed: int
    ) -> Float[Tensor, "n 28 28"]:
        """Draw a digit for each label with DDIM, with brightness from 0 to 1."""
        images = sample_images(
            model,
            SCHEDULE,
            VELOCITY,
            labels,
            (len(labels), 1, 28, 28),
            steps=options.steps,
            seed=seed,
            guidance=options.guidance,
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
    optimizer=FAST_U_NET_RATES,
    batch_size=64,
    steps=320,
    warmup_steps=20,
    ema_decay=0.98,
    published=False,
)
"""The model that chapter 8 trains live."""

LONGER = DigitDiffusionRecipe(
    name="mnist-diffusion",
    title=(
        "A U-Net of 0.9 million weights that draws handwritten digits: 4,600 steps, 40 "
        "minutes on one busy core"
    ),
    config=UNetConfig(channels=(32, 128), image_size=28),
    optimizer=U_NET_RATES,
    batch_size=64,
    steps=4600,
    warmup_steps=100,
    ema_decay=0.998,
    augmentation_probability=0.5,
    final_factor=20 / 59,
    cooldown_steps=600,
)
"""The model that chapter 8 loads."""


SAVE_FACTOR = 10
"""These runs save checkpoints this many times less often than others: their steps are
short, and a checkpoint contains both players.
"""


@dataclass(frozen=True, kw_only=True)
class GANRecipe(Recipe):
    """Base class for recipes that train a generator with the non-saturating loss and an
    R1 penalty.
    """

    config: DigitGANConfig
    learning_rate: float
    weight_decay: float
    penalty: float
    penalty_every: int

    network = DigitGenerator

    def fit_players(
        self, run: RunSettings, batches: Iterable[tuple[Tensor, Tensor]]
    ) -> tuple[DigitGenerator, AdversarialHistory]:
        """Train both players in one process, or resume a run that was stopped; return
        the averaged generator and the history.
        """
        generator = self.build().to(run.device)
        discriminator = DigitDiscriminator(self.config, self.seed + 1).to(run.device)
        average = EMA(generator, self.ema_decay)
        players = Players(
            generator,
            discriminator,
            NON_SATURATING,
            AdamW(
                generator.parameters(),
                self.learning_rate,
                betas=(0.0, 0.99),
                weight_decay=self.weight_decay,
            ),
            AdamW(discriminator.parameters(), self.learning_rate, betas=(0.0, 0.99)),
            torch.Generator().manual_seed(self.seed),
            penalty=lambda judge, real, _, labels: (
                self.penalty * r1_penalty(judge, real, labels)
            ),
            penalty_every=self.penalty_every,
        )
        history = fit_adversarial(
            players,
            batches,
            steps=run.steps,
            schedule=self.schedule().over(run.steps),
            ema=average,
            checkpoint=replace(
                run.checkpoint, every=SAVE_FACTOR * run.checkpoint.every
            ),
            progress=run.progress,
        )
        return average.model, history


@dataclass(frozen=True, kw_only=True)
class DigitGANRecipe(GANRecipe, DigitRecipe):
    """Conditional GAN of digits, trained on 4,000 real ones with data augmentation."""

    options = GANOptions()

    def fit(self, run: RunSettings) -> Trained:
        train, _ = load_mnist_split()
        generator, history = self.fit_players(
            run,
            AugmentedBatches(train.images, train.labels, self.batch_size, self.seed),
        )
        return Trained(generator, history.seconds)

    def measure(self, model: DigitGenerator) -> dict:
        labels = torch.arange(N_EVAL_IMAGES) % self.config.classes
        images = self.draw(model, labels, self.options, self.seed)
        return measure_digits(images, labels) | {
            "drawn_images": N_EVAL_IMAGES,
            "held_out_images": len(load_mnist_split()[1]),
        }

    @torch.no_grad()
    def draw(
        self,
        model: DigitGenerator,
        labels: Int[Tensor, "n"],
        options: GANOptions,
        seed: int,
    ) -> Float[Tensor, "n 28 28"]:
        """Draw a digit for each label, in one forward pass."""
        noise = draw_noise(model, len(labels), torch.Generator().manual_seed(seed))
        return model(noise, labels.to(noise.device))


class AugmentedBatches(TensorBatches):
    """Batches of labelled images with data augmentation: each image is rotated, scaled
    and shifted slightly, differently each time.
    """

    def __init__(self, images: Tensor, labels: Tensor, batch_size: int, seed: int):
        super().__init__((images, labels), batch_size, seed)
        self._draws = torch.Generator().manual_seed(seed)

    def __next__(self) -> tuple[Tensor, Tensor]:
        """Return augmented images and their labels."""
        images, labels = super().__next__()
        return random_affine(
            images, self._draws, degrees=6, stretching=0.05, pixels=0.7
        ), labels

    def state_dict(self) -> dict:
        return {"batches": super().state_dict(), "generator": self._draws.get_state()}

    def load_state_dict(self, state: dict) -> None:
        super().load_state_dict(state["batches"])
        self._draws.set_state(state["generator"])


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
)
"""The generator of chapter 7."""
