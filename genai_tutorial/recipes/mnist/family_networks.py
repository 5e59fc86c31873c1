"""The neural families of chapter 11: the network and the loss of each, and the code
that draws and scores images.
"""

import time
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.data import load_mnist_split
from genai_tutorial.data.levels import LEVELS, dequantize, from_levels, requantize
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
from genai_tutorial.recipes.mnist.family_recipe import (
    FamilyRecipe,
    Levels,
    cpu_seconds_since,
)
from genai_tutorial.recipes.mnist.gan_training import GANRecipe
from genai_tutorial.recipes.mnist.measure import N_EVAL_IMAGES, spot_check_recall
from genai_tutorial.recipes.mnist.options import FlowOptions
from genai_tutorial.recipes.recipe import RunSettings, Trained
from genai_tutorial.recipes.spot_check import SpotCheck
from genai_tutorial.training import AdamW, TensorBatches, build_optimizer, draw_noise
from genai_tutorial.transformer import PixelConfig, PixelTransformer
from genai_tutorial.vae import (
    VAE,
    GaussianLikelihood,
    VAEConfig,
    evidence_lower_bound,
    importance_weighted_bound,
    vae_loss,
)


@dataclass(frozen=True, kw_only=True)
class FamilyVAE(FamilyRecipe):
    """The variational autoencoder of chapter 6; its pixels are normally distributed
    around the decoder's output, with one standard deviation for all.

    Attributes:
        learning_rate: The highest learning rate.
        codes: The number of codes that the bound on the likelihood averages over.
    """

    config: VAEConfig
    learning_rate: float
    codes: int = 200

    level_width: ClassVar[float] = 1 / LEVELS

    def build(self) -> VAE:
        """Return the untrained network."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return VAE(self.config, GaussianLikelihood(0.2))

    def fit(self, run: RunSettings) -> Trained:
        """Train the network, or resume a run that was stopped."""
        model = self.build().to(run.device)

        def loss(
            model: VAE, levels: Levels, generator: torch.Generator
        ) -> Float[Tensor, ""]:
            rows = dequantize(levels, generator).flatten(1)
            return (
                vae_loss(evidence_lower_bound(model, rows, generator)) / rows.shape[1]
            )

        return self.fit_network(
            run, model, loss, AdamW(model.parameters(), self.learning_rate)
        )

    def weights_to_draw(self, model: VAE) -> int:
        """Return the number of the decoder's weights."""
        return sum(weight.numel() for weight in model.decoder.parameters())

    def images(self, model: VAE, count: int, seed: int) -> Float[Tensor, "count 28 28"]:
        """Draw the expected image of each code, as papers do; the likelihood is that of
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
        return importance_weighted_bound(model, rows, self.codes, generator).double()


@dataclass(frozen=True, kw_only=True)
class FamilyGAN(GANRecipe, FamilyRecipe):
    """The generator and the discriminator of chapter 7, with a single class: no
    labels.
    """

    def fit(self, run: RunSettings) -> Trained:
        """Train both players, or resume a run that was stopped."""
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
        """Return None: a GAN has no likelihood, so the probability that it gives to an
        unseen image is unknown.
        """
        return

    def spot_check(self, loaded: DigitGenerator, n: int, seed: int) -> SpotCheck:
        """Measure the recall, because there is no likelihood."""
        return spot_check_recall(self.images(loaded, N_EVAL_IMAGES, seed), n, seed)


@dataclass(frozen=True, kw_only=True)
class FamilyFlow(FamilyRecipe):
    """The U-Net of chapter 8, on one of two paths from image to noise: the circle of a
    variance-preserving schedule, or a straight line.

    Attributes:
        straight: True for flow matching on the straight path, False for diffusion.
        sampler_steps: The default number of steps of the sampler.
        likelihood_steps: The number of steps of Heun's method for the likelihood.
    """

    straight: bool
    config: UNetConfig
    sampler_steps: int = 20
    likelihood_steps: int = 50

    level_width: ClassVar[float] = 2 / LEVELS

    @property
    def options(self) -> FlowOptions:
        """The recipe's number of steps."""
        return FlowOptions(steps=self.sampler_steps)

    @property
    def path(self) -> NoisePath:
        """The path from image to noise."""
        return StraightPath() if self.straight else cosine_schedule(1000)

    @property
    def prediction(self) -> Prediction:
        """The target of the network: on either path, the velocity."""
        return FLOW if self.straight else VELOCITY

    def build(self) -> UNet:
        """Return the untrained network."""
        return UNet(self.config, self.seed)

    def fit(self, run: RunSettings) -> Trained:
        """Train the network, or resume a run that was stopped."""
        model = self.build().to(run.device)
        path, prediction = self.path, self.prediction

        def loss(
            model: UNet, levels: Levels, generator: torch.Generator
        ) -> Float[Tensor, ""]:
            pixels = 2 * dequantize(levels, generator)[:, None] - 1
            return diffusion_loss(model, path, prediction, pixels, generator=generator)

        return self.fit_network(
            run, model, loss, build_optimizer(model, self.optimizer)
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
            steps=self.sampler_steps if steps is None else steps,
            seed=seed,
            sampler=flow_euler if self.straight else ddim,
            batch_size=100,
        )
        return from_levels(requantize(images[:, 0]))

    def draw(
        self, loaded: UNet, options: FlowOptions, count: int, seed: int
    ) -> Float[Tensor, "count 28 28"]:
        """Return digits of any class.

        Raises:
            ValueError: If the path has fewer steps than requested.
        """
        return self.images(loaded, count, seed, options.steps)

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
            last * (step / self.likelihood_steps) ** 3
            for step in range(self.likelihood_steps + 1)
        ]


@dataclass(frozen=True, kw_only=True)
class FamilyPixels(FamilyRecipe):
    """The pixel Transformer: grey levels one after another."""

    config: PixelConfig

    def build(self) -> PixelTransformer:
        """Return the untrained network."""
        return PixelTransformer(self.config, self.seed)

    def fit(self, run: RunSettings) -> Trained:
        """Train the network, or resume a run that was stopped."""
        model = self.build().to(run.device)

        def loss(
            model: PixelTransformer, levels: Levels, _: torch.Generator
        ) -> Float[Tensor, ""]:
            return -model.log_prob(levels).mean() / levels[0].numel()

        return self.fit_network(
            run, model, loss, build_optimizer(model, self.optimizer)
        )

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
