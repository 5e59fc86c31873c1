"""A latent diffusion model that draws and edits pictures."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genai_tutorial.diffusion import (
    VELOCITY,
    Denoiser,
    Guided,
    ddim,
    last_sample,
    partly_noised,
    sample_images,
)
from genai_tutorial.multimodal import TextToImage
from genai_tutorial.tokenization import WordTokenizer
from genai_tutorial.vae import ImageAutoencoder

from ..shapes.diffusion import SHAPES_SCHEDULE


class LatentDiffusion(NamedTuple):
    """A latent diffusion model with tokenizer and autoencoder, as `load` returns it."""

    model: TextToImage
    tokenizer: WordTokenizer
    autoencoder: ImageAutoencoder

    def read(self, captions: Sequence[str]) -> Int[Tensor, "caption token"]:
        """Return the tokens of captions."""
        return self.tokenizer.encode_batch(
            captions, self.model.encoder.config.context_length
        )

    def denoiser(
        self,
        captions: Sequence[str],
        guidance: float | int,
        negative: Sequence[str] | None = None,
    ) -> Denoiser:
        """Return the denoiser that samplers call, with guidance."""
        unwanted = None if negative is None else self.read(negative)
        return Denoiser(
            Guided(self.model, guidance, unwanted),
            SHAPES_SCHEDULE,
            VELOCITY,
            condition=self.read(captions),
        )

    def draw(
        self,
        captions: Sequence[str],
        *,
        steps: int,
        guidance: float | int,
        seed: int,
        negative: Sequence[str] | None = None,
    ) -> Float[Tensor, "caption 3 height width"]:
        """Draw a picture for each caption, with DDIM in the latents; red, green and
        blue from 0 to 1.
        """
        config, side = self.model.network.config, self.model.network.config.image_size
        return sample_images(
            self.model,
            SHAPES_SCHEDULE,
            VELOCITY,
            self.read(captions),
            (len(captions), config.image_channels, side, side),
            steps=steps,
            seed=seed,
            guidance=guidance,
            negative=None if negative is None else self.read(negative),
            decode=self.autoencoder.to_images,
        )

    @torch.no_grad()
    def redraw(
        self,
        images: Float[Tensor, "caption 3 height width"],
        captions: Sequence[str],
        *,
        strength: float,
        steps: int,
        guidance: float | int,
        seed: int,
    ) -> Float[Tensor, "caption 3 height width"]:
        """Edit pictures by image-to-image: noise their latents part of the way, and
        denoise them with other captions.

        Source: Meng et al., SDEdit, https://arxiv.org/abs/2108.01073
        """
        generator = torch.Generator().manual_seed(seed)
        latents = self.autoencoder.to_latents(images, generator)
        noise = torch.randn(latents.shape, generator=generator)
        x, timesteps = partly_noised(SHAPES_SCHEDULE, latents, noise, strength, steps=steps)
        denoise = self.denoiser(captions, guidance)
        return self.autoencoder.to_images(last_sample(ddim(denoise, x, timesteps)))
