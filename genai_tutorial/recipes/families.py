"""The six families of chapter 11 side by side: the recipes for the neural ones, and the
results of all six for several seeds.

The results come from `benchmarks/families.py`, which takes half an hour on one core;
the models of the first seed come with the package too. Probabilistic PCA needs no
recipe: it is fitted in less than a second, with `PPCA_COMPONENTS` components.
"""

from dataclasses import dataclass, replace

from genai_tutorial.diffusion import UNetConfig
from genai_tutorial.gan import DigitGANConfig
from genai_tutorial.runtime import record
from genai_tutorial.training import OptimizerSettings
from genai_tutorial.transformer import PixelConfig
from genai_tutorial.vae import VAEConfig

from .family_networks import (
    FamilyFlow,
    FamilyGAN,
    FamilyPixels,
    FamilyRecipe,
    FamilyVAE,
)
from .recipe import FAST_U_NET_RATES

VAE_FAMILY = FamilyVAE(
    name="mnist-family-vae",
    title="A VAE whose decoder has 0.3 million weights, for the comparison of families",
    family="VAE",
    config=VAEConfig(dim=784, latent=16, hidden=(320, 128)),
    learning_rate=2e-3,
    steps=2000,
    batch_size=128,
    warmup_steps=50,
    ema_decay=0.99,
)

GAN_FAMILY = FamilyGAN(
    name="mnist-family-gan",
    title="A generator of 0.3 million weights, for the comparison of families",
    family="GAN",
    config=DigitGANConfig(
        latent=32,
        classes=1,
        generator_widths=(128, 320),
        discriminator_widths=(512, 256),
    ),
    learning_rate=1e-3,
    weight_decay=0.2,
    penalty=0.5,
    penalty_every=4,
    steps=2500,
    batch_size=64,
    warmup_steps=100,
    ema_decay=0.998,
)

U_NET = UNetConfig(channels=(24, 64), classes=None, image_size=28)

DIFFUSION_FAMILY = FamilyFlow(
    name="mnist-family-diffusion",
    title="A diffusion model of 0.3 million weights, for the comparison of families",
    family="diffusion",
    straight=False,
    config=U_NET,
    optimizer=FAST_U_NET_RATES,
    steps=500,
    batch_size=64,
    warmup_steps=20,
    ema_decay=0.98,
)

FLOW_FAMILY = replace(
    DIFFUSION_FAMILY,
    name="mnist-family-flow",
    title="A flow matching model of 0.3 million weights, for the comparison of families",  # noqa: E501
    family="flow matching",
    straight=True,
    config=replace(U_NET, time_scale=1000),
)

PIXEL_FAMILY = FamilyPixels(
    name="mnist-family-pixels",
    title="A pixel Transformer of 0.3 million weights, for the comparison of families",
    family="pixel Transformer",
    config=PixelConfig(),
    optimizer=OptimizerSettings(
        matrix_lr=0.02, embedding_lr=0.01, head_lr=0.005, vector_lr=0.01
    ),
    steps=300,
    batch_size=24,
    warmup_steps=10,
    ema_decay=0.98,
)

DIGIT_FAMILIES: tuple[FamilyRecipe, ...] = (
    VAE_FAMILY, GAN_FAMILY, DIFFUSION_FAMILY, FLOW_FAMILY, PIXEL_FAMILY,
)  # fmt: skip
"""The neural families, in the order of the chapter."""


@dataclass(frozen=True)
class FamilyRun:
    """One family, trained from one seed.

    Attributes:
        frechet_distance: The distance between 1,000 drawn images and the 1,000 held-out
            ones.
        precision: The share of drawn images that lie where held-out ones lie.
        recall: The share of held-out images that lie where drawn ones lie.
        bits_per_dimension: The mean over held-out images; None if the family has no
            likelihood.
        seconds_an_image: CPU seconds of one thread per image, for 100 images drawn
            together.
        training_seconds: CPU seconds of one thread.
        weights: The number of weights that are needed to draw.
    """

    frechet_distance: float
    precision: float
    recall: float
    bits_per_dimension: float | None
    seconds_an_image: float
    training_seconds: float
    weights: int


@dataclass(frozen=True)
class FamilyRecord:
    """All runs.

    Attributes:
        machine: The machine on which the seconds were measured.
        real_digits: The Fréchet distance, precision and recall of 1,000 training
            images, for each seed.
    """

    seeds: tuple[int, ...]
    machine: dict
    real_digits: tuple[dict[str, float], ...]
    runs: dict[str, tuple[FamilyRun, ...]]


def family_record() -> FamilyRecord:
    """Read the results that come with the package.

    >>> list(family_record().runs)
    ['PPCA', 'VAE', 'GAN', 'diffusion', 'flow matching', 'pixel Transformer']
    """
    families = record("families")
    return FamilyRecord(
        tuple(families["seeds"]),
        families["machine"],
        tuple(families["real_digits"]),
        {
            family: tuple(FamilyRun(**run) for run in runs)
            for family, runs in families["runs"].items()
        },
    )
