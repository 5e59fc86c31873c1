"""The recipe for the autoencoder that compresses images of 32×32 pixels into 8×8 grids
of latents.
"""

from dataclasses import dataclass

import torch

from genai_tutorial.data import EMOJI_SOURCE, load_emoji_split
from genai_tutorial.metrics import psnr
from genai_tutorial.tasks.shapes import CaptionedScenes, caption_accuracy, load_shapes
from genai_tutorial.vae import (
    ImageAutoencoder,
    ImageAutoencoderConfig,
    image_autoencoder_loss,
    reconstruct_images,
)

from .recipe import U_NET_RATES, Recipe, RunSettings, Trained, draw_items

N_EVAL_SCENES = 500
"""The number of held-out scenes for the metrics."""


@dataclass(frozen=True, kw_only=True)
class ImageAutoencoderRecipe(Recipe):
    """An autoencoder for emoji and scenes of shapes."""

    config: ImageAutoencoderConfig
    kl_weight: float
    scenes: int

    network = ImageAutoencoder
    source = EMOJI_SOURCE
    metric = "emoji_psnr_db"
    in_words = "{emoji_psnr_db} dB between unseen emoji and their reconstructions"

    def fit(self, run: RunSettings) -> Trained:
        emoji, _ = load_emoji_split()
        images = torch.cat((emoji.images, load_shapes(self.scenes, self.seed).images))
        trained = run.fit(
            self,
            self.build(),
            run.batches(self, (255 * images).round().byte()),
            lambda model, batch, generator: image_autoencoder_loss(
                model, batch / 255, generator, kl_weight=self.kl_weight
            ),
            generator=torch.Generator().manual_seed(self.seed),
        )
        trained.model.set_scaling_factor(
            images[:: len(images) // 2000 + 1].to(run.device),
            torch.Generator().manual_seed(self.seed),
        )
        return trained

    def measure(self, model: ImageAutoencoder) -> dict:
        _, emoji = load_emoji_split()
        scenes = held_out_scenes()
        drawn = {"emoji": emoji.images, "scenes": scenes.images}
        back = {
            name: reconstruct_images(model, images) for name, images in drawn.items()
        }
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
            "held_out_scenes": N_EVAL_SCENES,
        }

    def score(self, loaded: ImageAutoencoder, n: int, seed: int) -> list:
        _, emoji = load_emoji_split()
        images = emoji.images[draw_items(range(len(emoji)), n, seed)]
        return psnr(images, reconstruct_images(loaded, images)).tolist()


def held_out_scenes() -> CaptionedScenes:
    """Return scenes of one and two objects that are in no training set."""
    return load_shapes(N_EVAL_SCENES, 1, objects=(1, 2))


EMOJI_AUTOENCODER = ImageAutoencoderRecipe(
    name="emoji-autoencoder",
    title=(
        "An autoencoder that keeps a picture of 32×32 pixels in 8×8 places with four "
        "numbers each"
    ),
    config=ImageAutoencoderConfig(width=48),
    optimizer=U_NET_RATES,
    kl_weight=1e-6,
    scenes=4_000,
    batch_size=64,
    steps=4_000,
    warmup_steps=100,
    ema_decay=0.998,
)
"""The model of chapter 10."""
