"""The neural families of chapter 11, each with its network, its loss, its way to draw
and its way to score.
"""

import time
from dataclasses import asdict, dataclass, replace
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.data.levels import LEVELS, dequantise, from_levels, requantise
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
from genai_tutorial.gan import (
    NON_SATURATING,
    DigitDiscriminator,
    DigitGANConfig,
    DigitGenerator,
    r1_penalty,
)
from genai_tutorial.metrics import bits_per_dimension
from genai_tutorial.recipes.mnist.classifier import split
from genai_tutorial.recipes.mnist.family_recipe import FamilyRecipe, Levels
from genai_tutorial.recipes.recipe import RunSettings, Trained, Wishes
from genai_tutorial.training import (
    EMA,
    AdamW,
    OptimizerSettings,
    TensorBatches,
    build_optimizer,
    draw_noise,
    fit_adversarial,
    warmup_linear,
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


@dataclass(frozen=True, kw_only=True)
class FamilyVAE(FamilyRecipe):
    """A variational autoencoder of chapter 6; its pixels are normal around what the
    decoder says, with one deviation.

    Attributes:
        config: The sizes.
        lr: The highest learning rate.
        codes: How many codes the bound on the likelihood averages over.
    """

    config: VAEConfig
    lr: float
    codes: int = 200

    def build(self, about: dict) -> VAE:
        """Return the network that a card describes, its weights not read yet."""
        return VAE(VAEConfig(**about["recipe"]["config"]), GaussianLikelihood(0.2))

    def fit(self, settings: RunSettings) -> Trained:
        """Trains the network, or goes on with a run that was stopped."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            model = self.build({"recipe": {"config": asdict(self.config)}}).to(
                settings.device
            )

        def loss(
            model: VAE, levels: Levels, generator: torch.Generator
        ) -> Float[Tensor, ""]:
            rows = dequantise(levels, generator).flatten(1)
            return (
                vae_loss(evidence_lower_bound(model, rows, generator)) / rows.shape[1]
            )

        return self.fit_network(
            settings, model, loss, AdamW(model.parameters(), self.lr)
        )

    def weights_to_draw(self, model: VAE) -> int:
        """Return the number of the decoder's weights."""
        return sum(weight.numel() for weight in model.decoder.parameters())

    def images(self, model: VAE, count: int, seed: int) -> Float[Tensor, "count 28 28"]:
        """Draws the expected image of each code, as papers show them; the likelihood is
        that of noisier ones.
        """
        rows = model.sample(count, torch.Generator().manual_seed(seed))
        return from_levels(requantise(rows)).view(-1, 28, 28)

    @torch.no_grad()
    def bits(self, model: VAE, levels: Levels, seed: int) -> float:
        """Return the bits per dimension by the importance-weighted bound: an upper
        bound.
        """
        generator = torch.Generator().manual_seed(seed)
        rows = dequantise(levels, generator).flatten(1)
        nats = (
            importance_weighted_bound(model, rows, self.codes, generator).double().sum()
        )
        return bits_per_dimension(nats.item(), levels.numel(), level_width=1 / LEVELS)


@dataclass(frozen=True, kw_only=True)
class FamilyGAN(FamilyRecipe):
    """The generator and the discriminator of chapter 7, told of one class only: no
    labels.

    Attributes:
        config: The sizes of both players.
        lr: The highest learning rate, of both players.
        weight_decay: The part of each weight of the generator that is taken away per
            unit of learning rate.
        penalty: What the squared slope of the discriminator at real images is
            multiplied with.
        penalty_every: After how many steps the penalty is paid, for all of them at
            once.
    """

    config: DigitGANConfig
    lr: float
    weight_decay: float
    penalty: float
    penalty_every: int

    def build(self, about: dict) -> DigitGenerator:
        """Return the generator that a card describes, its weights not read yet."""
        return DigitGenerator(DigitGANConfig(**about["recipe"]["config"]))

    def fit(self, settings: RunSettings) -> Trained:
        """Trains both players, or goes on with a run that was stopped."""
        train, _ = split()
        generator = DigitGenerator(self.config, self.seed).to(settings.device)
        discriminator = DigitDiscriminator(self.config, self.seed + 1).to(
            settings.device
        )
        average, started = EMA(generator, self.ema_decay), time.process_time()
        history = fit_adversarial(
            generator,
            discriminator,
            TensorBatches(
                (train.images, torch.zeros(len(train), dtype=torch.long)),
                self.batch_size,
                self.seed,
            ),
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
            checkpoint=replace(
                settings.checkpoint, every=10 * settings.checkpoint.every
            ),  # its steps are short
            progress=settings.progress,
        )
        return Trained(
            average.model,
            history.seconds,
            {"cpu_seconds": round(time.process_time() - started, 1)},
        )

    @torch.no_grad()
    def images(
        self, model: DigitGenerator, count: int, seed: int
    ) -> Float[Tensor, "count 28 28"]:
        """Draws all images in one pass."""
        noise = draw_noise(model, count, torch.Generator().manual_seed(seed))
        return from_levels(
            requantise(model(noise, torch.zeros(count, dtype=torch.long)))
        )

    def bits(self, model: DigitGenerator, levels: Levels, seed: int) -> None:
        """Return None: a GAN has no likelihood, so the probability that it gives to an
        unseen image is unknown.
        """
        return


@dataclass(frozen=True, kw_only=True)
class FamilyFlow(FamilyRecipe):
    """The U-Net of chapter 8, on one of two ways from image to noise: diffusion's
    circle, or a straight line.

    Attributes:
        straight: Whether it is flow matching, on the straight line; else it is
            diffusion.
        config: The network's settings.
        optimizer: The optimisers' settings.
        sampler_steps: How often the network is asked for an image.
        likelihood_steps: How many steps of Heun's method lead to the likelihood.
    """

    straight: bool
    config: UNetConfig
    optimizer: OptimizerSettings
    sampler_steps: int = 20
    likelihood_steps: int = 50

    takes: ClassVar[tuple[str, ...]] = ("steps",)

    @property
    def path(self) -> NoisePath:
        """The way into noise."""
        return StraightPath() if self.straight else cosine_schedule(1000)

    @property
    def prediction(self) -> Prediction:
        """What the network is trained to say: on either path, the velocity."""
        return FLOW if self.straight else VELOCITY

    def build(self, about: dict) -> UNet:
        """Return the network that a card describes, its weights not read yet."""
        return UNet(UNetConfig(**about["recipe"]["config"]))

    def fit(self, settings: RunSettings) -> Trained:
        """Trains the network, or goes on with a run that was stopped."""
        model = UNet(self.config, self.seed).to(settings.device)
        path, prediction = self.path, self.prediction

        def loss(
            model: UNet, levels: Levels, generator: torch.Generator
        ) -> Float[Tensor, ""]:
            pixels = 2 * dequantise(levels, generator)[:, None] - 1
            return diffusion_loss(model, path, prediction, pixels, generator=generator)

        return self.fit_network(
            settings, model, loss, build_optimizer(model, self.optimizer)
        )

    def images(
        self, model: UNet, count: int, seed: int, steps: int | None = None
    ) -> Float[Tensor, "count 28 28"]:
        """Draws images with Euler's method, which on the circle is DDIM."""
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
        return from_levels(requantise(images[:, 0]))

    def draw(
        self, loaded: UNet, wishes: Wishes, count: int, seed: int
    ) -> Float[Tensor, "count 28 28"]:
        """Return digits, whichever come.

        Raises:
            ValueError: If the path has not so many steps.
        """
        return self.images(loaded, count, seed, wishes.steps)

    def bits(self, model: UNet, levels: Levels, seed: int) -> float:
        """Return the bits per dimension by the ODE, the divergence estimated with one
        random vector for each image.
        """
        generator = torch.Generator().manual_seed(seed)
        pixels = 2 * dequantise(levels, generator)[:, None] - 1
        nats = [
            ode_log_prob(
                model,
                self.path,
                self.prediction,
                some,
                self.likelihood_times(),
                probes=generator,
            )
            for some in pixels.split(50)
        ]
        return bits_per_dimension(
            torch.cat(nats).double().sum().item(),
            levels.numel(),
            level_width=2 / LEVELS,
        )

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
    """The pixel Transformer: grey levels one after another.

    Attributes:
        config: The network's settings.
        optimizer: The optimisers' settings.
    """

    config: PixelConfig
    optimizer: OptimizerSettings

    def build(self, about: dict) -> PixelTransformer:
        """Return the network that a card describes, its weights not read yet."""
        return PixelTransformer(PixelConfig(**about["recipe"]["config"]))

    def fit(self, settings: RunSettings) -> Trained:
        """Trains the network, or goes on with a run that was stopped."""
        model = PixelTransformer(self.config, self.seed).to(settings.device)

        def loss(
            model: PixelTransformer, levels: Levels, _: torch.Generator
        ) -> Float[Tensor, ""]:
            return -model.log_prob(levels).mean() / levels[0].numel()

        return self.fit_network(
            settings, model, loss, build_optimizer(model, self.optimizer)
        )

    def images(
        self, model: PixelTransformer, count: int, seed: int
    ) -> Float[Tensor, "count 28 28"]:
        """Draws images pixel by pixel, all of them side by side."""
        return from_levels(model.draw(count, torch.Generator().manual_seed(seed)))

    @torch.no_grad()
    def bits(self, model: PixelTransformer, levels: Levels, seed: int) -> float:
        """Return the bits per dimension, exactly: the levels are what the model gives
        probabilities to.
        """
        nats = (
            torch.cat([model.log_prob(some) for some in levels.split(100)])
            .double()
            .sum()
        )
        return bits_per_dimension(nats.item(), levels.numel())
