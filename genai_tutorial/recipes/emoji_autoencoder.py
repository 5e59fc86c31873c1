"""The recipe of the autoencoder that turns pictures of 32×32 pixels into grids of 8×8
places, and back.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.data import load_emoji
from genai_tutorial.data.emoji import SOURCE, NamedImages
from genai_tutorial.data.source import Source
from genai_tutorial.metrics import psnr
from genai_tutorial.recipes.recipe import RunSettings, Trained
from genai_tutorial.tasks.shapes import caption_accuracy, load_shapes
from genai_tutorial.tasks.shapes.pictures import CaptionedScenes
from genai_tutorial.training import (
    EMA,
    OptimizerSettings,
    TensorBatches,
    build_optimizer,
    fit,
    parallel,
    warmup_linear,
)
from genai_tutorial.vae import (
    ImageAutoencoder,
    ImageAutoencoderConfig,
    image_autoencoder_loss,
)

TEST_SHARE, SPLIT_SEED = 0.1, 0
"""Which families of emoji are held out."""

MEASURED = 500
"""How many new scenes an autoencoder is measured with."""


@dataclass(frozen=True)
class ImageAutoencoderRecipe:
    """How an autoencoder learns from emoji and scenes of shapes to keep a picture in a
    small grid of numbers.

    Attributes:
        name: What `train` and `load` call it.
        title: What it is, in one line.
        config: The network's sizes.
        optimizer: The optimisers' settings.
        kl_weight: How strongly the latent numbers are held near zero, with some noise.
        scenes: How many scenes of one to three objects it is shown beside the emoji.
        batch_size: The number of pictures in a batch.
        steps: The number of batches.
        warmup_steps: How many steps the learning rates rise for; from there they fall
            in a straight line to zero.
        ema_decay: Decay of the moving average of the weights,
            which is what the file holds.
        seed: Decides the scenes, the first weights, the batches and the noise.
        published: Whether the package carries the trained model.
    """

    name: str
    title: str
    config: ImageAutoencoderConfig
    optimizer: OptimizerSettings
    kl_weight: float
    scenes: int
    batch_size: int
    steps: int
    warmup_steps: int
    ema_decay: float
    seed: int = 0
    published: bool = False

    source: ClassVar[Source] = SOURCE

    def build(self, about: dict) -> ImageAutoencoder:
        """Return the network that a card describes, its weights not read yet."""
        return ImageAutoencoder(ImageAutoencoderConfig(**about["recipe"]["config"]))

    def fit(self, settings: RunSettings) -> Trained:
        """Trains the network, or goes on with a run that was stopped; then measures its
        scaling factor.
        """
        emoji, _ = split()
        images = torch.cat((emoji.images, load_shapes(self.scenes, self.seed).images))
        model = ImageAutoencoder(self.config, self.seed).to(settings.device)
        average = EMA(model, self.ema_decay)
        generator = torch.Generator().manual_seed(self.seed)
        history = fit(
            parallel(model),
            TensorBatches(
                ((255 * images).round().byte(),),
                self.batch_size,
                self.seed,
                rank=settings.process.rank,
                world_size=settings.process.world_size,
            ),
            lambda model, batch: image_autoencoder_loss(
                model, batch / 255, generator, kl_weight=self.kl_weight
            ),
            build_optimizer(model, self.optimizer),
            steps=settings.steps,
            schedule=warmup_linear(self.steps, self.warmup_steps).over(settings.steps),
            ema=average,
            checkpoint=settings.checkpoint,
            generators=[generator],
            progress=settings.progress,
        )
        average.model.set_scaling_factor(
            images[:: len(images) // 2000 + 1], torch.Generator().manual_seed(self.seed)
        )
        return Trained(average.model, history.seconds)

    def measure(self, model: ImageAutoencoder) -> dict:
        """Return how close held-out pictures come back, and how often a scene still
        shows what its caption says.
        """
        _, emoji = split()
        scenes = held_out_scenes()
        drawn = {"emoji": emoji.images, "scenes": scenes.images}
        back = {name: reconstruct(model, images) for name, images in drawn.items()}
        with torch.no_grad():
            latents = model.to_latents(
                emoji.images, torch.Generator().manual_seed(self.seed)
            )
        return {
            **{
                f"{name}_psnr_db": round(psnr(images, back[name]).mean().item(), 2)
                for name, images in drawn.items()
            },
            "scenes_read_as_captioned": round(
                caption_accuracy(scenes.captions, back["scenes"]).everything, 4
            ),
            "latent_standard_deviation": round(float(latents.std()), 3),
            "compression": self.config.compression(),
            "held_out_emoji": len(emoji),
            "held_out_scenes": MEASURED,
        }

    def headline(self, metrics: dict) -> str:
        """Return the closeness in words."""
        return (
            f"{metrics['emoji_psnr_db']} dB between unseen emoji and what comes back "
            "of them"
        )

    def ready(self, model: ImageAutoencoder, about: dict) -> ImageAutoencoder:
        """Return the network as it is."""
        return model


def split() -> tuple[NamedImages, NamedImages]:
    """Return the emoji that the models of the book learn from, without skin tones, and
    those that are held out.
    """
    return load_emoji().without_skin_tones().split(TEST_SHARE, SPLIT_SEED)


def held_out_scenes() -> CaptionedScenes:
    """Return scenes of one and two objects that no recipe's training has drawn."""
    return load_shapes(MEASURED, 1, objects=(1, 2))


@torch.no_grad()
def reconstruct(
    model: ImageAutoencoder, images: Float[Tensor, "n 3 32 32"]
) -> Float[Tensor, "n 3 32 32"]:
    """Send pictures through the grid and back; the mean of each latent number, without
    its noise.
    """
    return torch.cat(
        [
            model.decode(model.encode(some).mean).clamp(0, 1)
            for some in images.split(250)
        ]
    )


EMOJI_AUTOENCODER = ImageAutoencoderRecipe(
    name="emoji-autoencoder",
    title=(
        "An autoencoder that keeps a picture of 32×32 pixels in 8×8 places with four "
        "numbers each"
    ),
    config=ImageAutoencoderConfig(width=48),
    optimizer=OptimizerSettings(
        matrix_lr=0.02,
        kernel_lr=0.02,
        embedding_lr=0.01,
        head_lr=0.003,
        vector_lr=0.003,
        momentum=0.95,
    ),
    kl_weight=1e-6,
    scenes=4_000,
    batch_size=64,
    steps=4_000,
    warmup_steps=100,
    ema_decay=0.998,
    published=True,
)
"""The model of chapter 10."""
