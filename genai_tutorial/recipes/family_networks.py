"""The neural families of chapter 11: what they share, and the network and loss of each.

Each model needs about 300,000 parameters to draw. All learn from the grey
levels of 4,000 digits as they are: no labels and no augmentation. Every recipe also
defines how its images are drawn (`images`), and how many bits per pixel held-out images
cost (`bits`).
"""

import time
from abc import abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.optim import Optimizer

from genai_tutorial.data import (
    LEVELS,
    MNIST_SOURCE,
    dequantize,
    from_levels,
    load_mnist_split,
    requantize,
    to_levels,
)
from genai_tutorial.diffusion import (
    FLOW,
    VELOCITY,
    NoisePath,
    Prediction,
    StraightPath,
    UNet,
    UNetConfig,
    cosine_schedule,
    ddim,
    diffusion_loss,
    flow_euler,
    ode_log_prob,
    sample_images,
)
from genai_tutorial.gan import DigitGenerator
from genai_tutorial.metrics import bits_per_dimension
from genai_tutorial.training import (
    AdamW,
    CombinedOptimizer,
    TensorBatches,
    build_optimizer,
    draw_noise,
)
from genai_tutorial.transformer import PixelConfig, PixelTransformer
from genai_tutorial.vae import (
    VAE,
    GaussianLikelihood,
    VAEConfig,
    evidence_lower_bound,
    importance_weighted_bound,
    vae_loss,
)

from .digit_classifier import N_EVAL_IMAGES, measure_digits, score_recall
from .digit_models import GANRecipe
from .recipe import ImageSamples, Recipe, RunSettings, Trained, draw_items

PPCA_COMPONENTS = 381
"""The number of components with which probabilistic PCA has about as many numbers as
the networks have weights: 299,489.
"""

CODES = 200  # of the importance-weighted bound
LIKELIHOOD_STEPS = 50
N_SCORED_IMAGES = 16
"""The number of held-out images whose mean bits per dimension are on a card."""


Levels = Int[Tensor, "n 28 28"]


@dataclass(frozen=True, kw_only=True)
class FamilyOptions:
    """No options: the family draws digits of any class."""


@dataclass(frozen=True, kw_only=True)
class FlowOptions:
    """The options of a diffusion or flow matching model without labels."""

    steps: int


@dataclass(frozen=True, kw_only=True)
class FamilyRecipe(Recipe):
    """A family of generative models in the comparison of chapter 11.

    Attributes:
        family: Its name in the chapter.
    """

    family: str

    source = MNIST_SOURCE
    makes = "images"

    level_width = 1.0
    """The width of a grey level in the units of the likelihood's density; 1 where it is
    a probability.
    """
    options = FamilyOptions()
    metric = "bits_per_dimension"
    in_words = "a Fréchet distance of {frechet_distance:.1f} from unseen digits"

    def weights_to_draw(self, model: nn.Module) -> int:
        """Return the number of parameters needed to draw: the budget counts these."""
        return sum(weight.numel() for weight in model.parameters())

    @abstractmethod
    def images(
        self, model: nn.Module, count: int, seed: int
    ) -> Float[Tensor, "count 28 28"]:
        """Draw images of 256 grey levels, brightness from 0 to 1."""

    @abstractmethod
    def log_likelihoods(
        self, model: nn.Module, levels: Levels, seed: int
    ) -> Float[Tensor, "n"] | None:
        """Return the log-likelihood of each image in nats, or a bound on it; None where
        the family has none.
        """

    def bits(self, model: nn.Module, levels: Levels, seed: int) -> float | None:
        nats = self.log_likelihoods(model, levels, seed)
        if nats is None:
            return None
        return bits_per_dimension(nats.sum().item(), levels.numel(), self.level_width)

    def measure(self, model: nn.Module) -> dict:
        images = self.images(model, N_EVAL_IMAGES, self.seed)
        metrics = measure_digits(images) | {"drawn_images": N_EVAL_IMAGES}
        bits = self.bits(model, scored_levels(), self.seed)
        if bits is None:
            return metrics
        return metrics | {
            "bits_per_dimension": round(bits, 3),
            "scored_images": N_SCORED_IMAGES,
        }

    def score(self, loaded: nn.Module, n: int, seed: int) -> list:
        levels = scored_levels()
        sample = levels[draw_items(range(len(levels)), n, seed)]
        nats = self.log_likelihoods(loaded, sample, seed).tolist()
        pixels = levels[0].numel()
        return [bits_per_dimension(image, pixels, self.level_width) for image in nats]

    def sample(
        self, loaded: nn.Module, options: Any, count: int, seed: int
    ) -> ImageSamples:
        return ImageSamples(self.images(loaded, count, seed))

    def loss(
        self, model: nn.Module, levels: Levels, generator: torch.Generator
    ) -> Float[Tensor, ""]:
        """Return the loss of a batch of grey levels."""
        raise NotImplementedError

    def build_optimizer(self, model: nn.Module) -> Optimizer | CombinedOptimizer:
        return build_optimizer(model, self.optimizer)

    def fit(self, run: RunSettings) -> Trained:
        levels = to_levels(load_mnist_split()[0].images)
        model = self.build().to(run.device)
        started = time.process_time()
        trained = run.fit(
            self,
            model,
            TensorBatches((levels,), self.batch_size, self.seed),
            self.loss,
            self.build_optimizer(model),
            generator=torch.Generator().manual_seed(self.seed),
            in_parallel=False,
        )
        return replace(trained, notes=cpu_seconds_since(started))


def scored_levels() -> Levels:
    """Return the held-out images whose bits per dimension are on a card."""
    _, held_out = load_mnist_split()
    every = len(held_out) // N_SCORED_IMAGES
    return to_levels(held_out.images[::every][:N_SCORED_IMAGES])


def cpu_seconds_since(started: float) -> dict[str, float]:
    """Return the note about the cost of training on a family's card."""
    return {"cpu_seconds": round(time.process_time() - started, 1)}


@dataclass(frozen=True, kw_only=True)
class FamilyVAE(FamilyRecipe):
    """The variational autoencoder of chapter 6; its pixels are normally distributed
    around the decoder's output, with one standard deviation for all.
    """

    config: VAEConfig
    learning_rate: float

    level_width = 1 / LEVELS

    def build(self) -> VAE:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return VAE(self.config, GaussianLikelihood(0.2))

    def build_optimizer(self, model: VAE) -> AdamW:
        return AdamW(model.parameters(), self.learning_rate)

    def loss(
        self, model: VAE, levels: Levels, generator: torch.Generator
    ) -> Float[Tensor, ""]:
        rows = dequantize(levels, generator).flatten(1)
        return vae_loss(evidence_lower_bound(model, rows, generator)) / rows.shape[1]

    def weights_to_draw(self, model: VAE) -> int:
        """Return the number of the decoder's weights."""
        return sum(weight.numel() for weight in model.decoder.parameters())

    def images(self, model: VAE, count: int, seed: int) -> Float[Tensor, "count 28 28"]:
        """Draw the expected image of each code, as papers do; the likelihood refers to
        noisier images.
        """
        rows = model.sample(count, torch.Generator().manual_seed(seed))
        return from_levels(requantize(rows)).view(-1, 28, 28)

    @torch.no_grad()
    def log_likelihoods(
        self, model: VAE, levels: Levels, seed: int
    ) -> Float[Tensor, "n"]:
        """Return the importance-weighted bound of each image: a lower bound."""
        generator = torch.Generator().manual_seed(seed)
        rows = dequantize(levels, generator).flatten(1)
        return importance_weighted_bound(model, rows, CODES, generator).double()


@dataclass(frozen=True, kw_only=True)
class FamilyGAN(GANRecipe, FamilyRecipe):
    """The generator and the discriminator of chapter 7, with a single class: no
    labels.
    """

    metric = "recall"  # there is no likelihood

    def fit(self, run: RunSettings) -> Trained:
        images = load_mnist_split()[0].images
        labels = torch.zeros(len(images), dtype=torch.long)
        started = time.process_time()
        generator, history = self.fit_players(
            run, TensorBatches((images, labels), self.batch_size, self.seed)
        )
        return Trained(generator, history.seconds, cpu_seconds_since(started))

    @torch.no_grad()
    def images(
        self, model: DigitGenerator, count: int, seed: int
    ) -> Float[Tensor, "count 28 28"]:
        """Draw all images in one pass."""
        noise = draw_noise(model, count, torch.Generator().manual_seed(seed))
        labels = torch.zeros(count, dtype=torch.long, device=noise.device)
        return from_levels(requantize(model(noise, labels)))

    def log_likelihoods(self, model: DigitGenerator, levels: Levels, seed: int) -> None:
        """Return None: a GAN has no likelihood."""

    def score(self, loaded: DigitGenerator, n: int, seed: int) -> list:
        return score_recall(self.images(loaded, N_EVAL_IMAGES, seed), n, seed)


@dataclass(frozen=True, kw_only=True)
class FamilyFlow(FamilyRecipe):
    """The U-Net of chapter 8, on one of two paths from image to noise: the circle of a
    variance-preserving schedule, or a straight line.
    """

    straight: bool
    config: UNetConfig

    network = UNet
    level_width = 2 / LEVELS
    options = FlowOptions(steps=20)

    @cached_property
    def path(self) -> NoisePath:
        """The path from image to noise."""
        return StraightPath() if self.straight else cosine_schedule(1000)

    @property
    def prediction(self) -> Prediction:
        """The target of the network: on either path, the velocity."""
        return FLOW if self.straight else VELOCITY

    def loss(
        self, model: UNet, levels: Levels, generator: torch.Generator
    ) -> Float[Tensor, ""]:
        pixels = 2 * dequantize(levels, generator)[:, None] - 1
        return diffusion_loss(
            model, self.path, self.prediction, pixels, generator=generator
        )

    def images(
        self, model: UNet, count: int, seed: int, steps: int | None = None
    ) -> Float[Tensor, "count 28 28"]:
        """Draw images with Euler's method, which on the circle is DDIM."""
        images = sample_images(
            model,
            self.path,
            self.prediction,
            None,
            (count, 1, 28, 28),
            steps=self.options.steps if steps is None else steps,
            seed=seed,
            sampler=flow_euler if self.straight else ddim,
            batch_size=100,
        )
        return from_levels(requantize(images[:, 0]))

    def sample(
        self, loaded: UNet, options: FlowOptions, count: int, seed: int
    ) -> ImageSamples:
        return ImageSamples(self.images(loaded, count, seed, options.steps))

    def log_likelihoods(
        self, model: UNet, levels: Levels, seed: int
    ) -> Float[Tensor, "n"]:
        """Return the log-likelihood of each image by the ODE, with the divergence
        estimated from one random vector.
        """
        generator = torch.Generator().manual_seed(seed)
        pixels = 2 * dequantize(levels, generator)[:, None] - 1
        nats = [
            ode_log_prob(
                model,
                self.path,
                self.prediction,
                part,
                self.likelihood_times(),
                probes=generator,
            )
            for part in pixels.split(50)
        ]
        return torch.cat(nats).double()

    def likelihood_times(self) -> list[float]:
        """Return the times from image to noise, close together where there is little
        noise.
        """
        last = 1.0 if self.straight else len(self.path) - 1.0
        return [
            last * (step / LIKELIHOOD_STEPS) ** 3
            for step in range(LIKELIHOOD_STEPS + 1)
        ]


@dataclass(frozen=True, kw_only=True)
class FamilyPixels(FamilyRecipe):
    """The pixel Transformer: grey levels one after another."""

    config: PixelConfig

    network = PixelTransformer

    def loss(
        self, model: PixelTransformer, levels: Levels, generator: torch.Generator
    ) -> Float[Tensor, ""]:
        return -model.log_prob(levels).mean() / levels[0].numel()

    def images(
        self, model: PixelTransformer, count: int, seed: int
    ) -> Float[Tensor, "count 28 28"]:
        """Draw images pixel by pixel, all in one batch."""
        return from_levels(model.draw(count, torch.Generator().manual_seed(seed)))

    @torch.no_grad()
    def log_likelihoods(
        self, model: PixelTransformer, levels: Levels, seed: int
    ) -> Float[Tensor, "n"]:
        """Return the exact log-likelihood of each image: the model assigns
        probabilities to the levels themselves.
        """
        return torch.cat([model.log_prob(part) for part in levels.split(100)]).double()
