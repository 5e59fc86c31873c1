"""The recipe of the model that draws films of moving shapes from captions: first the
model with its autoencoder, which also continues films.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genai_tutorial.diffusion import (
    VELOCITY,
    Denoised,
    Denoiser,
    Guided,
    Model,
    sample_images,
)
from genai_tutorial.multimodal import drop_texts
from genai_tutorial.tasks.motion import (
    MOTION_SOURCE,
    MOTION_TOKENIZER,
    MOVES_TOKEN,
    Clip,
    encode_motion_captions,
    load_clips,
    motion_accuracy,
    motion_scores,
    random_clips,
)
from genai_tutorial.tasks.shapes import render
from genai_tutorial.vae import ImageAutoencoder, encode_images
from genai_tutorial.video import (
    KnownFrames,
    TextToVideo,
    VideoUNetConfig,
    draw_known_frames,
    logit_normal_timesteps,
)

from .emoji_autoencoder import EMOJI_AUTOENCODER
from .latent_diffusion import SHAPES_LATENT
from .recipe import U_NET_RATES, RunSettings, Trained, load_recipe
from .sampling import CaptionRecipe
from .shapes_diffusion import SHAPES_SCHEDULE


class LatentVideo(NamedTuple):
    """A text-to-video model with its autoencoder, as `load` returns it."""

    model: TextToVideo
    autoencoder: ImageAutoencoder

    def denoiser(self, captions: Sequence[str], guidance: float | int) -> Denoiser:
        """Return the denoiser for samplers, with classifier-free guidance of this
        weight; the empty caption means no condition.
        """
        return Denoiser(
            Guided(self.model, guidance),
            SHAPES_SCHEDULE,
            VELOCITY,
            condition=encode_motion_captions(captions),
        )

    def draw(
        self, captions: Sequence[str], *, steps: int, guidance: float | int, seed: int
    ) -> Float[Tensor, "caption frame 3 height width"]:
        """Draw a film for each caption, with DDIM in latent space; red, green and blue
        from 0 to 1.
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
        config, side = network.image.config, network.image.config.image_size
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
) -> tuple[Float[Tensor, "scene channel rows columns"], Int[Tensor, "clip frame"]]:
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


@dataclass(frozen=True, kw_only=True)
class TextToVideoRecipe(CaptionRecipe):
    """A recipe for temporal layers between the layers of `shapes-latent`; the weights
    of the image model are frozen.
    """

    config: VideoUNetConfig
    clips: int
    time_mean: float = 0.7
    time_deviation: float = 1.0
    known_share: float = 0.3
    sampler_steps: int = 20
    measured: int = 200

    source = MOTION_SOURCE
    example = "a small red circle moves left slowly"
    makes = "films"
    metric = "train.direction"
    in_words = (
        "{train[identity]:.1%} of videos show the object of the caption in all frames, "
        "and {train[direction]:.1%} move in its direction"
    )

    def build(self) -> TextToVideo:
        return self._inflate(SHAPES_LATENT.build())

    def known_words(self, loaded: LatentVideo) -> Sequence[str]:
        return MOTION_TOKENIZER.words

    def build_on_images(self) -> TextToVideo:
        """Return the untrained model on top of the published image model, whose weights
        are frozen.
        """
        return self._inflate(load_recipe(SHAPES_LATENT).model).freeze_image_model()

    def _inflate(self, image: nn.Module) -> TextToVideo:
        return TextToVideo(
            image, self.config, MOTION_TOKENIZER.vocab_size, MOVES_TOKEN, self.seed
        )

    def fit(self, run: RunSettings) -> Trained:
        drawn = random_clips(
            self.clips, torch.Generator().manual_seed(self.seed), self.config.frames
        )
        latents, rows = encode_scenes(load_recipe(EMOJI_AUTOENCODER), drawn, self.seed)
        texts = encode_motion_captions([clip.caption for clip in drawn])
        return run.fit(
            self,
            self.build_on_images(),
            run.batches(self, rows, texts),
            lambda model, rows, texts, generator: self.loss(
                model, latents[rows.cpu()].to(run.device), texts, generator
            ),
            generator=torch.Generator().manual_seed(self.seed),
        )

    def to_latents(
        self, clips: Sequence[Clip]
    ) -> Float[Tensor, "clip frame channel rows columns"]:
        """Return the latents of training clips."""
        latents, rows = encode_scenes(load_recipe(EMOJI_AUTOENCODER), clips, self.seed)
        return latents[rows]

    def loss(
        self,
        model: nn.Module,
        latents: Float[Tensor, "batch frame channel height width"],
        texts: Int[Tensor, "batch token"],
        generator: torch.Generator,
    ) -> Float[Tensor, ""]:
        """Return the loss of a batch, with some captions dropped and some first frames
        known: known frames enter the network clean and are excluded from the loss.
        """
        (empty,) = encode_motion_captions([""])
        texts = drop_texts(texts, self.text_dropout, empty, generator)
        batch, frames = latents.shape[:2]
        t = logit_normal_timesteps(
            batch, len(SHAPES_SCHEDULE), self.time_mean, self.time_deviation, generator
        )
        noise = torch.randn(latents.shape, generator=generator)
        known = draw_known_frames(batch, frames, self.known_share, generator)
        t, noise, known = (part.to(latents.device) for part in (t, noise, known))
        noisy = SHAPES_SCHEDULE.add_noise(latents, noise, t)
        output = model(
            torch.where(known[..., None, None, None], latents, noisy),
            torch.where(known, 0, t[:, None]),
            texts,
        )
        target = VELOCITY.target(
            Denoised(latents, noise), SHAPES_SCHEDULE.levels(t, latents)
        )
        return (output - target)[~known].square().mean()

    def wrap(self, model: TextToVideo, card: dict) -> LatentVideo:
        return LatentVideo(model, load_recipe(EMOJI_AUTOENCODER))

    def measure(self, model: TextToVideo) -> dict:
        draw, metrics = self.drawing(self.wrap(model, {}), self.seed), {}
        for split in ("train", "new motions"):
            captions = self.captions(self.measured, self.seed + 1, split)
            accuracy = motion_accuracy(captions, draw(captions))
            metrics[split.replace(" ", "_")] = {
                name: round(value, 4) for name, value in asdict(accuracy).items()
            }
        return metrics | {"captions_each": self.measured, "sampler": self.sampler}

    def captions(self, count: int, seed: int, split: str) -> tuple[str, ...]:
        """Return captions of clips that are not in the training set."""
        return load_clips(count, seed, self.config.frames, split).captions

    def score(self, loaded: LatentVideo, n: int, seed: int) -> list:
        captions = self.captions(n, seed + 1, "train")
        scores = motion_scores(captions, self.drawing(loaded, seed)(captions))
        return [score.direction for score in scores]


SHAPES_VIDEO = TextToVideoRecipe(
    name="shapes-video",
    title=(
        "A U-Net that draws clips of eight frames, in which a shape moves, from their "
        "captions"
    ),
    config=VideoUNetConfig(),
    clips=30_000,
    optimizer=U_NET_RATES,
    batch_size=8,
    steps=6_000,
    warmup_steps=100,
    ema_decay=0.999,
)
"""The model of chapter 17, trained on top of `shapes-latent`."""
