"""The latent diffusion models: what draws and edits images, two kinds of captioned
images with their metrics, and the recipes.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from genai_tutorial.data import EMOJI_SOURCE, load_emoji_split
from genai_tutorial.diffusion import (
    VELOCITY,
    Denoiser,
    Guided,
    Model,
    UNetConfig,
    ddim,
    diffusion_loss,
    last_sample,
    partly_noised,
    sample_images,
)
from genai_tutorial.metrics import nearest_neighbours
from genai_tutorial.multimodal import EncoderConfig, TextEncoderConfig, TextToImage
from genai_tutorial.tasks.shapes import CAPTION_TOKENIZER, SHAPES_SOURCE, load_shapes
from genai_tutorial.tokenization import WordTokenizer
from genai_tutorial.vae import ImageAutoencoder, encode_images

from .emoji_autoencoder import EMOJI_AUTOENCODER
from .recipe import U_NET_RATES, RunSettings, Trained, draw_items, load_recipe
from .sampling import DrawCaptions
from .shapes_clip import SHAPES_CLIP
from .shapes_diffusion import (
    SHAPES_SCHEDULE,
    TextToImageRecipe,
    caption_metrics,
    everything_shown,
    hide_texts,
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

    def denoiser(self, captions: Sequence[str], guidance: float | int) -> Denoiser:
        """Return the denoiser that samplers call, with guidance."""
        return Denoiser(
            Guided(self.model, guidance),
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
        model: Model | None = None,
    ) -> Float[Tensor, "caption 3 height width"]:
        """Draw an image for each caption, with DDIM in the latents; red, green and blue
        from 0 to 1. Another model of the same latents may draw instead.
        """
        config, side = self.model.network.config, self.model.network.config.image_size
        return sample_images(
            self.model if model is None else model,
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
        """Edit images by image-to-image: noise their latents part of the way, and
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
"""Images with their captions, of one kind or several."""


@dataclass(frozen=True, kw_only=True)
class LatentDiffusionRecipe(TextToImageRecipe):
    """A U-Net that learns to draw the latents of captioned images."""

    autoencoder: str

    @abstractmethod
    def captioned(self) -> Captioned:
        """Return the training images."""

    @abstractmethod
    def tokenizer(self) -> WordTokenizer:
        """Return the tokenizer of the captions."""

    @abstractmethod
    def measure_drawing(self, draw: DrawCaptions) -> dict:
        """Return the card's metrics of what a model draws."""

    def fit(self, run: RunSettings) -> Trained:
        images, captions = self.captioned()
        tokenizer, length = self.tokenizer(), self.text.context_length
        texts = torch.stack(
            [tokenizer.encode_batch(texts, length) for texts in captions], dim=1
        )
        latents = encode_images(load_recipe(EMOJI_AUTOENCODER), images, self.seed)
        return run.fit(
            self,
            self.build_on_clip(),
            run.batches(self, latents, texts),
            self.loss,
            generator=torch.Generator().manual_seed(self.seed),
            notes={"tokenizer": tokenizer.to_dict()},
        )

    def loss(
        self,
        model: nn.Module,
        latents: Float[Tensor, "batch channel height width"],
        texts: Int[Tensor, "batch kind token"],
        generator: torch.Generator,
    ) -> Float[Tensor, ""]:
        """Return the loss of a batch, in which each image comes with one of its
        captions.
        """
        kind = torch.randint(texts.shape[1], (len(texts),), generator=generator)
        texts = texts[torch.arange(len(texts)), kind.to(texts.device)]
        shown = hide_texts(texts, self.text_dropout, generator)
        return diffusion_loss(
            model, SHAPES_SCHEDULE, VELOCITY, latents, shown, generator=generator
        )

    def wrap(self, model: TextToImage, card: dict) -> LatentDiffusion:
        tokenizer = WordTokenizer.from_dict(card["tokenizer"])
        return LatentDiffusion(model, tokenizer, load_recipe(EMOJI_AUTOENCODER))

    def measure(self, model: TextToImage) -> dict:
        loaded = self.wrap(model, {"tokenizer": self.tokenizer().to_dict()})
        metrics = self.measure_drawing(self.drawing(loaded, self.seed))
        return metrics | {"sampler": self.sampler}


@dataclass(frozen=True)
class Scenes:
    """The numbers of training scenes, and of captions of each kind for the metrics."""

    count: int = 60_000
    measured: int = 200


@dataclass(frozen=True, kw_only=True)
class ShapesLatentRecipe(LatentDiffusionRecipe):
    """Draws scenes of one and two shapes, the same as the model that draws pixels."""

    pictures: Scenes = Scenes()

    source = SHAPES_SOURCE
    example = "a small red circle above a large blue square"
    metric = "two_objects_everything"
    in_words = (
        "{one_object_everything:.1%} of images of one object show all that the "
        "caption says"
    )

    def captioned(self) -> Captioned:
        scenes = load_shapes(self.pictures.count, self.seed, objects=(1, 2))
        varied = scenes.varied_captions(torch.Generator().manual_seed(self.seed))
        return scenes.images, (scenes.captions, varied)

    def tokenizer(self) -> WordTokenizer:
        return CAPTION_TOKENIZER

    def measure_drawing(self, draw: DrawCaptions) -> dict:
        parts = {"one_object": ((1,), "train"), "two_objects": ((2,), "train")}
        count = self.pictures.measured
        measured = caption_metrics(draw, parts, count, self.seed + 1)
        metrics = {
            f"{part}_{name}": value
            for part, accuracies in measured.items()
            for name, value in accuracies.items()
        }
        return metrics | {"captions_each": count}

    def score(self, loaded: LatentDiffusion, n: int, seed: int) -> list:
        return everything_shown(self.drawing(loaded, seed), (2,), n, seed)


@dataclass(frozen=True)
class Emoji:
    """The number of training names for the metrics."""

    measured: int = 200


@dataclass(frozen=True, kw_only=True)
class EmojiLatentRecipe(LatentDiffusionRecipe):
    """Draws emoji of OpenMoji from their English names, without skin tones; some
    families are held out.
    """

    pictures: Emoji = Emoji()

    source = EMOJI_SOURCE
    example = "fire engine"
    metric = "recalled"
    in_words = (
        "{recalled:.1%} of training names give an image that is nearest to their own"
    )

    def captioned(self) -> Captioned:
        train, _ = load_emoji_split()
        return train.images, (train.names,)

    def tokenizer(self) -> WordTokenizer:
        return WordTokenizer.from_texts(self.known_names())

    def known_names(self) -> Sequence[str]:
        return load_emoji_split()[0].names

    def measure_drawing(self, draw: DrawCaptions) -> dict:
        train, held_out = load_emoji_split()
        chosen = draw_items(range(len(train)), self.pictures.measured, self.seed)
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
            "recalled": _share(_are_recalled(draw, torch.tensor(sorted(chosen)))),
            "recalled_held_out": _share(of_held_out),
            "nearer_than_another": _share(
                (distances > distances.diag()[:, None])[others]
            ),
            "training_names": len(chosen),
            "held_out_names_of_known_words": len(known),
        }

    def score(self, loaded: LatentDiffusion, n: int, seed: int) -> list:
        sample = torch.tensor(draw_items(range(len(load_emoji_split()[0])), n, seed))
        return _are_recalled(self.drawing(loaded, seed), sample).tolist()


def _are_recalled(draw: DrawCaptions, indices: Int[Tensor, "n"]) -> Bool[Tensor, "n"]:
    """Draw the training names with these indices, and return whether their own images
    are nearest.
    """
    train, _ = load_emoji_split()
    drawn = draw([train.names[index] for index in indices.tolist()])
    return _nearest(drawn) == indices


def _nearest(drawn: Float[Tensor, "n 3 32 32"]) -> Int[Tensor, "n"]:
    """Return the index of the nearest emoji: first the training images, then the
    held-out ones.
    """
    train, held_out = load_emoji_split()
    pool = torch.cat([train.images, held_out.images])
    return nearest_neighbours(drawn, pool).indices[:, 0]


def _share(values: Bool[Tensor, "n"]) -> float:
    return round(values.double().mean().item(), 4)


SHAPES_LATENT = ShapesLatentRecipe(
    name="shapes-latent",
    title=(
        "A U-Net that draws scenes of one or two shapes from their captions, in 8×8 "
        "places of four numbers"
    ),
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
)
"""The counterpart of `shapes-diffusion` in chapter 10: the same U-Net, on latents
instead of pixels.
"""

EMOJI_LATENT = EmojiLatentRecipe(
    name="emoji-latent",
    title=(
        "A U-Net that draws emoji from their English names, in 8×8 places of four "
        "numbers"
    ),
    autoencoder=EMOJI_AUTOENCODER.name,
    text=TextEncoderConfig(
        EncoderConfig(width=64, layers=2, heads=4),
        vocab_size=1_621,
        context_length=10,
        end=WordTokenizer.END,
    ),
    text_from=None,
    config=replace(SHAPES_LATENT.config, channels=(64, 128)),
    optimizer=U_NET_RATES,
    batch_size=64,
    steps=6_000,
    warmup_steps=100,
    ema_decay=0.999,
    guidance=3.0,
)
"""The model of chapter 10 that draws emoji."""
