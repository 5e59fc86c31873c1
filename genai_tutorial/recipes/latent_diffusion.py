"""The latent diffusion models: what draws and edits pictures, two kinds of captioned
pictures with their metrics, and the recipes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from genai_tutorial.data import EMOJI_SOURCE, Source, load_emoji_split
from genai_tutorial.diffusion import (
    VELOCITY,
    Denoiser,
    Guided,
    UNetConfig,
    ddim,
    diffusion_loss,
    last_sample,
    partly_noised,
    sample_images,
)
from genai_tutorial.metrics import nearest_neighbours
from genai_tutorial.multimodal import EncoderConfig, TextEncoderConfig, TextToImage
from genai_tutorial.tasks.shapes import CAPTION_LENGTH, CAPTION_TOKENIZER, load_shapes
from genai_tutorial.tasks.shapes import pictures as shapes
from genai_tutorial.tokenization import WordTokenizer
from genai_tutorial.training import parallel
from genai_tutorial.vae import ImageAutoencoder, encode_images

from .emoji_autoencoder import EMOJI_AUTOENCODER
from .recipe import (
    U_NET_RATES,
    ImageSamples,
    RunSettings,
    Trained,
    draw_items,
    load_recipe,
)
from .sampling import CaptionOptions
from .shapes_clip import SHAPES_CLIP
from .shapes_diffusion import (
    SHAPES_SCHEDULE,
    DrawCaptions,
    TextToImageRecipe,
    caption_metrics,
    everything_shown,
)


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
        x, timesteps = partly_noised(
            SHAPES_SCHEDULE, latents, noise, strength, steps=steps
        )
        denoise = self.denoiser(captions, guidance)
        return self.autoencoder.to_images(last_sample(ddim(denoise, x, timesteps)))


Captioned = tuple[Float[Tensor, "n 3 32 32"], tuple[tuple[str, ...], ...]]
"""Pictures with their captions, of one kind or several."""


@dataclass(frozen=True)
class Scenes:
    """Scenes of one and two shapes, the same as for the model that draws pixels."""

    count: int = 60_000
    measured: int = 200

    source = shapes.SHAPES_SOURCE
    context_length = CAPTION_LENGTH
    example = "a small red circle above a large blue square"
    metric = "two_objects_everything"
    in_words = (
        "{one_object_everything:.1%} of pictures of one object show all that the "
        "caption says"
    )

    def load(self, seed: int) -> Captioned:
        scenes = load_shapes(self.count, seed, objects=(1, 2))
        varied = scenes.varied_captions(torch.Generator().manual_seed(seed))
        return scenes.images, (scenes.captions, varied)

    def tokenizer(self) -> WordTokenizer:
        return CAPTION_TOKENIZER

    def measure(self, draw: DrawCaptions, seed: int) -> dict:
        parts = {"one_object": ((1,), "train"), "two_objects": ((2,), "train")}
        measured = caption_metrics(draw, parts, self.measured, seed + 1)
        metrics = {
            f"{part}_{name}": value
            for part, accuracies in measured.items()
            for name, value in accuracies.items()
        }
        return metrics | {"captions_each": self.measured}

    def score(self, draw: DrawCaptions, n: int, seed: int) -> list:
        return everything_shown(draw, (2,), n, seed)


@dataclass(frozen=True)
class Emoji:
    """Emoji of OpenMoji with their English names, without skin tones; the models of the
    book hold out some families.
    """

    measured: int = 200

    source = EMOJI_SOURCE
    context_length = 10
    example = "fire engine"
    metric = "recalled"
    in_words = (
        "{recalled:.1%} of training names give a picture that is nearest to their own"
    )

    def load(self, seed: int) -> Captioned:
        train, _ = load_emoji_split()
        return train.images, (train.names,)

    def tokenizer(self) -> WordTokenizer:
        return WordTokenizer.from_texts(load_emoji_split()[0].names)

    def measure(self, draw: DrawCaptions, seed: int) -> dict:
        train, held_out = load_emoji_split()
        order = torch.tensor(sorted(draw_items(range(len(train)), self.measured, seed)))
        words = set(self.tokenizer().words)
        known = [
            index
            for index, name in enumerate(held_out.names)
            if words.issuperset(name.lower().split())
        ]
        drawn = draw([held_out.names[index] for index in known])
        distances = torch.cdist(drawn.flatten(1), held_out.images[known].flatten(1))
        others = ~torch.eye(len(known), dtype=torch.bool)
        of_held_out = _nearest(drawn) == torch.tensor(known) + len(train)
        return {
            "recalled": _share(self._are_recalled(draw, order)),
            "recalled_held_out": _share(of_held_out),
            "nearer_than_another": _share(
                (distances > distances.diag()[:, None])[others]
            ),
            "training_names": len(order),
            "held_out_names_of_known_words": len(known),
        }

    def score(self, draw: DrawCaptions, n: int, seed: int) -> list:
        sample = torch.tensor(draw_items(range(len(load_emoji_split()[0])), n, seed))
        return self._are_recalled(draw, sample).tolist()

    def _are_recalled(
        self, draw: DrawCaptions, indices: Int[Tensor, "n"]
    ) -> Bool[Tensor, "n"]:
        """Draw the training names with these indices, and return whether their own
        pictures are nearest.
        """
        train, _ = load_emoji_split()
        drawn = draw([train.names[index] for index in indices.tolist()])
        return _nearest(drawn) == indices


def _nearest(drawn: Float[Tensor, "n 3 32 32"]) -> Int[Tensor, "n"]:
    """Return the index of the nearest emoji: first the training pictures, then the
    held-out ones.
    """
    train, held_out = load_emoji_split()
    pool = torch.cat([train.images, held_out.images])
    return nearest_neighbours(drawn, pool).indices[:, 0]


def _share(values: Bool[Tensor, "n"]) -> float:
    return round(values.double().mean().item(), 4)


@dataclass(frozen=True, kw_only=True)
class LatentDiffusionRecipe(TextToImageRecipe):
    """A U-Net that learns to draw the latents of captioned pictures."""

    pictures: Scenes | Emoji
    autoencoder: str

    @property
    def metric(self) -> str:
        return self.pictures.metric

    @property
    def in_words(self) -> str:
        return self.pictures.in_words

    @property
    def source(self) -> Source:
        """The data of the pictures."""
        return self.pictures.source

    def fit(self, run: RunSettings) -> Trained:
        images, captions = self.pictures.load(self.seed)
        tokenizer, length = self.pictures.tokenizer(), self.text.context_length
        texts = torch.stack(
            [tokenizer.encode_batch(texts, length) for texts in captions], dim=1
        )
        latents = encode_images(load_recipe(EMOJI_AUTOENCODER), images, self.seed)
        model = self.build_on_clip().to(run.device)
        generator = torch.Generator().manual_seed(self.seed)
        return run.fit(
            self,
            parallel(model),
            run.batches((latents, texts), self.batch_size, self.seed),
            lambda model, latents, texts: self.loss(model, latents, texts, generator),
            generators=[generator],
            notes={"tokenizer": tokenizer.to_dict()},
        )

    def loss(
        self,
        model: nn.Module,
        latents: Float[Tensor, "batch channel height width"],
        texts: Int[Tensor, "batch kind token"],
        generator: torch.Generator,
    ) -> Float[Tensor, ""]:
        """Return the loss of a batch, in which each picture comes with one of its
        captions.
        """
        kind = torch.randint(texts.shape[1], (len(texts),), generator=generator).to(
            texts.device
        )
        shown = self.hide_texts(texts[torch.arange(len(texts)), kind], generator)
        return diffusion_loss(
            model, SHAPES_SCHEDULE, VELOCITY, latents, shown, generator=generator
        )

    def wrap(self, model: TextToImage, card: dict) -> LatentDiffusion:
        return LatentDiffusion(
            model,
            WordTokenizer.from_dict(card["tokenizer"]),
            load_recipe(EMOJI_AUTOENCODER),
        )

    def measure(self, model: TextToImage) -> dict:
        loaded = LatentDiffusion(
            model, self.pictures.tokenizer(), load_recipe(EMOJI_AUTOENCODER)
        )
        metrics = self.pictures.measure(self._drawing(loaded, self.seed), self.seed)
        return metrics | {"sampler": self.sampler}

    def score(self, loaded: LatentDiffusion, n: int, seed: int) -> list:
        return self.pictures.score(self._drawing(loaded, seed), n, seed)

    def _drawing(self, loaded: LatentDiffusion, seed: int) -> DrawCaptions:
        return lambda captions: loaded.draw(
            captions, steps=self.sampler_steps, guidance=self.guidance, seed=seed
        )

    def sample(
        self, loaded: LatentDiffusion, options: CaptionOptions, count: int, seed: int
    ) -> ImageSamples:
        return ImageSamples(
            loaded.draw(
                [options.required_prompt(self.pictures.example)] * count,
                steps=options.steps,
                guidance=options.guidance,
                seed=seed,
            )
        )


SHAPES_LATENT = LatentDiffusionRecipe(
    name="shapes-latent",
    title=(
        "A U-Net that draws scenes of one or two shapes from their captions, in 8×8 "
        "places of four numbers"
    ),
    pictures=Scenes(),
    autoencoder=EMOJI_AUTOENCODER.name,
    text=SHAPES_CLIP.config.text,
    text_from=SHAPES_CLIP.name,
    config=UNetConfig(
        image_channels=4,
        patch_size=1,
        channels=(32, 96),
        classes=None,
        text_width=64,
        image_size=8,
    ),
    optimizer=U_NET_RATES,
    batch_size=64,
    steps=10_000,
    warmup_steps=100,
    ema_decay=0.999,
    published=True,
)
"""The counterpart of `shapes-diffusion` in chapter 10: the same U-Net, on latents
instead of pixels.
"""

EMOJI_LATENT = LatentDiffusionRecipe(
    name="emoji-latent",
    title=(
        "A U-Net that draws emoji from their English names, in 8×8 places of four "
        "numbers"
    ),
    pictures=Emoji(),
    autoencoder=EMOJI_AUTOENCODER.name,
    text=TextEncoderConfig(
        EncoderConfig(width=64, layers=2, heads=4),
        vocab_size=1_621,
        context_length=Emoji.context_length,
        end=WordTokenizer.END,
    ),
    text_from=None,
    config=UNetConfig(
        image_channels=4,
        patch_size=1,
        channels=(64, 128),
        classes=None,
        text_width=64,
        image_size=8,
    ),
    optimizer=U_NET_RATES,
    batch_size=64,
    steps=6_000,
    warmup_steps=100,
    ema_decay=0.999,
    guidance=3.0,
    published=True,
)
"""The model of chapter 10 that draws emoji."""
