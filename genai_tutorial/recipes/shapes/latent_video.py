"""A text-to-video model with its autoencoder: draw films, continue them, and encode
them as latents.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genai_tutorial.diffusion import VELOCITY, Denoiser, Guided, Model, sample_images
from genai_tutorial.tasks.motion import Clip, encode_motion_captions
from genai_tutorial.tasks.shapes import render
from genai_tutorial.vae import ImageAutoencoder, encode_images
from genai_tutorial.video import KnownFrames, TextToVideo

from .diffusion import SHAPES_SCHEDULE


class LatentVideo(NamedTuple):
    """A text-to-video model with its autoencoder, as `load` returns it.

    Attributes:
        model: Predicts the velocity of noisy latents, given captions.
        autoencoder: Encodes and decodes frames one by one.
    """

    model: TextToVideo
    autoencoder: ImageAutoencoder

    def denoiser(self, captions: Sequence[str], guidance: float | int) -> Denoiser:
        """Return the denoiser for samplers, with classifier-free guidance.

        Args:
            captions: A caption per film; the empty caption means no condition.
            guidance: The guidance weight; 1 for no guidance.
        """
        return Denoiser(
            Guided(self.model, guidance),
            SHAPES_SCHEDULE,
            VELOCITY,
            condition=encode_motion_captions(captions),
        )

    def draw(
        self,
        captions: Sequence[str],
        *,
        steps: int,
        guidance: float | int,
        seed: int,
    ) -> Float[Tensor, "caption frame 3 height width"]:
        """Draw a film for each caption, with DDIM in latent space; red, green and blue
        from 0 to 1.

        Args:
            captions: A caption per film.
            seed: Seed of the initial noise.
        """
        return self._draw(self.model, captions, steps, guidance, seed, batch_size=32)

    def _draw(
        self,
        model: Model,
        captions: Sequence[str],
        steps: int,
        guidance: float | int,
        seed: int,
        batch_size: int | None,
    ) -> Float[Tensor, "caption frame 3 height width"]:
        network = self.model.network
        config = network.image.config
        side = config.image_size
        return sample_images(
            model,
            SHAPES_SCHEDULE,
            VELOCITY,
            encode_motion_captions(captions),
            (len(captions), network.config.frames, config.image_channels, side, side),
            steps=steps,
            seed=seed,
            guidance=guidance,
            decode=self.to_films,
            batch_size=batch_size,
        )

    def continue_films(
        self,
        films: Float[Tensor, "clip known 3 height width"],
        captions: Sequence[str],
        *,
        steps: int,
        guidance: float | int,
        seed: int,
    ) -> Float[Tensor, "clip frame 3 height width"]:
        """Complete films whose first frames are given: image to video from one frame,
        video prediction from several. See `KnownFrames`.

        Args:
            films: The known frames of each film; fewer than the model draws.
            captions: A caption per film.
            seed: Seed of the initial noise.

        Returns:
            The known frames, followed by those that the model has drawn.

        Raises:
            ValueError: If there is not one caption per film, or there are no known
                frames or none to draw.
        """
        known, frames = films.shape[1], self.model.network.config.frames
        if not 1 <= known < frames:
            raise ValueError(
                f"Give from 1 to {frames - 1} of the {frames} frames, got {known}."
            )
        if len(captions) != len(films):
            raise ValueError(
                f"Give one caption per clip: got {len(captions)} for {len(films)}."
            )
        model = KnownFrames(self.model, self.to_latents(films))
        drawn = self._draw(model, captions, steps, guidance, seed, batch_size=None)
        return torch.cat((films, drawn[:, known:]), dim=1)

    def to_films(
        self, latents: Float[Tensor, "clip frame channel rows columns"]
    ) -> Float[Tensor, "clip frame 3 height width"]:
        """Decode the latents of films, frame by frame."""
        frames = self.autoencoder.to_images(latents.flatten(0, 1))
        return frames.unflatten(0, latents.shape[:2])

    def to_latents(
        self, films: Float[Tensor, "clip frame 3 height width"], seed: int = 0
    ) -> Float[Tensor, "clip frame channel rows columns"]:
        """Encode films as latents, frame by frame."""
        latents = encode_images(self.autoencoder, films.flatten(0, 1), seed)
        return latents.unflatten(0, films.shape[:2])


def encode_scenes(
    autoencoder: ImageAutoencoder, clips: Sequence[Clip], seed: int
) -> tuple[
    Float[Tensor, "scene channel rows columns"],
    Int[Tensor, "clip frame"],
]:
    """Return the latents of all scenes that occur in clips, and for each frame of each
    clip the row of its latents.
    """
    scenes = list(dict.fromkeys(scene for clip in clips for scene in clip.scenes))
    row = {scene: index for index, scene in enumerate(scenes)}
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        latents = [
            autoencoder.to_latents(render(scenes[first : first + 500]), generator)
            for first in range(0, len(scenes), 500)
        ]
    rows = torch.tensor([[row[scene] for scene in clip.scenes] for clip in clips])
    return torch.cat(latents), rows
