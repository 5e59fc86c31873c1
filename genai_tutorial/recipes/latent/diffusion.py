"""The recipes of the models that draw in the latents of an autoencoder: scenes from
captions, emoji from names.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genai_tutorial.data.source import Source
from genai_tutorial.diffusion import (
    VELOCITY,
    Denoiser,
    Guided,
    UNetConfig,
    diffusion_loss,
    sample_images,
)
from genai_tutorial.multimodal import EncoderConfig, TextEncoderConfig
from genai_tutorial.multimodal.text_to_image import TextToImage, drop_texts
from genai_tutorial.recipes.emoji_autoencoder import EMOJI_AUTOENCODER
from genai_tutorial.recipes.files import load_recipe
from genai_tutorial.recipes.latent.pictures import Emoji, Scenes
from genai_tutorial.recipes.recipe import RunSettings, Trained, Wishes
from genai_tutorial.recipes.shapes.clip import SHAPES_CLIP
from genai_tutorial.recipes.shapes.diffusion import PATH
from genai_tutorial.tokenization import WordTokenizer
from genai_tutorial.training import (
    EMA,
    OptimizerSettings,
    TensorBatches,
    build_optimizer,
    fit,
    parallel,
    warmup_linear,
)
from genai_tutorial.vae import ImageAutoencoder


class LatentDiffusion(NamedTuple):
    """What `load` hands out: everything that turns a text into a picture by way of
    latents.

    Attributes:
        model: Predicts the velocity of noisy latents, given a text.
        tokenizer: Turns texts into what the model reads.
        autoencoder: Turns pictures into latents, and back.
    """

    model: TextToImage
    tokenizer: WordTokenizer
    autoencoder: ImageAutoencoder

    def read(self, captions: Sequence[str]) -> Int[Tensor, "caption token"]:
        """Return the tokens of captions.

        Raises:
            ValueError: If a caption has a word that the model does not know, or is too
                long.
        """
        return self.tokenizer.encode_batch(
            captions, self.model.encoder.config.context_length
        )

    def denoiser(
        self,
        captions: Sequence[str],
        guidance: float | int,
        negative: Sequence[str] | None = None,
    ) -> Denoiser:
        """Return what a sampler needs to draw latents.

        Args:
            captions: What each picture should show; the empty caption leaves it open.
            guidance: How strongly the pictures are pulled towards their captions; 1 for
                not at all.
            negative: What each picture should not show; None for nothing.
        """
        unwanted = None if negative is None else self.read(negative)
        return Denoiser(
            Guided(self.model, guidance, unwanted),
            PATH,
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
        """Draws a picture for each caption, with DDIM in the latents; red, green and
        blue from 0 to 1.

        Args:
            captions: What each picture should show.
            steps: How many steps the sampler takes.
            guidance: How strongly the pictures are pulled towards their captions.
            seed: Decides the noise to begin with.
            negative: What each picture should not show; None for nothing.
        """
        config, side = self.model.network.config, self.model.network.config.image_size
        return sample_images(
            self.model,
            PATH,
            VELOCITY,
            self.read(captions),
            (len(captions), config.image_channels, side, side),
            steps=steps,
            seed=seed,
            guidance=guidance,
            negative=None if negative is None else self.read(negative),
            decode=self.autoencoder.to_images,
        )


@dataclass(frozen=True)
class LatentDiffusionRecipe:
    """How a U-Net learns to draw the latents of captioned pictures.

    Attributes:
        name: What `train` and `load` call it.
        title: What it is, in one line.
        pictures: What it draws.
        autoencoder: The autoencoder whose latents these are, by its name; it is not
            trained any more.
        text: The text encoder's settings.
        text_from: The CLIP whose text encoder it begins with, and goes on training;
            None begins with random weights.
        config: The denoising network's settings.
        optimizer: The optimisers' settings.
        batch_size: The number of latents in a batch.
        steps: The number of batches.
        warmup_steps: How many steps the learning rates rise for; from there they fall
            in a straight line to zero.
        ema_decay: Decay of the moving average of the weights,
            which is what the file holds.
        text_dropout: The share of captions that are hidden, so that guidance is
            possible.
        sampler_steps: How many steps of DDIM a sample takes, if nothing else is wished.
        guidance: How strongly a sample is pulled towards its caption, if nothing else
            is wished.
        seed: Decides the pictures, the first weights, the batches and the noise.
        published: Whether the package carries the trained model.
    """

    name: str
    title: str
    pictures: Scenes | Emoji
    autoencoder: str
    text: TextEncoderConfig
    text_from: str | None
    config: UNetConfig
    optimizer: OptimizerSettings
    batch_size: int
    steps: int
    warmup_steps: int
    ema_decay: float
    text_dropout: float = 0.1
    sampler_steps: int = 25
    guidance: float = 2.0
    seed: int = 0
    published: bool = False

    takes: ClassVar[tuple[str, ...]] = ("prompt", "steps", "guidance")

    @property
    def source(self) -> Source:
        """The data of the pictures."""
        return self.pictures.source

    def build(self, about: dict) -> TextToImage:
        """Return the model that a card describes, its weights not read yet."""
        text = about["recipe"]["text"]
        text = TextEncoderConfig(
            **(text | {"encoder": EncoderConfig(**text["encoder"])})
        )
        return TextToImage(text, UNetConfig(**about["recipe"]["config"]))

    def fit(self, settings: RunSettings) -> Trained:
        """Encode all pictures, once, and trains the model on the latents, or goes on
        with a run that was stopped.
        """
        images, captions = self.pictures.load(self.seed)
        tokenizer, length = self.pictures.tokenizer(), self.text.context_length
        texts = torch.stack(
            [tokenizer.encode_batch(some, length) for some in captions], dim=1
        )
        model = TextToImage(self.text, self.config, self.seed).to(settings.device)
        if self.text_from is not None:
            model.encoder.load_state_dict(
                load_recipe(SHAPES_CLIP).model.text_encoder.state_dict()
            )
        average = EMA(model, self.ema_decay)
        generator = torch.Generator().manual_seed(self.seed)
        history = fit(
            parallel(model),
            TensorBatches(
                (encode_all(load_recipe(EMOJI_AUTOENCODER), images, self.seed), texts),
                self.batch_size,
                self.seed,
                rank=settings.process.rank,
                world_size=settings.process.world_size,
            ),
            lambda model, latents, texts: self.loss(model, latents, texts, generator),
            build_optimizer(model, self.optimizer),
            steps=settings.steps,
            schedule=warmup_linear(self.steps, self.warmup_steps).over(settings.steps),
            ema=average,
            checkpoint=settings.checkpoint,
            generators=[generator],
            progress=settings.progress,
        )
        return Trained(
            average.model, history.seconds, notes={"tokenizer": tokenizer.to_dict()}
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
        empty = torch.zeros(texts.shape[2], dtype=texts.dtype)
        empty[0] = WordTokenizer.END
        chosen = drop_texts(
            texts[torch.arange(len(texts)), kind], self.text_dropout, empty, generator
        )
        return diffusion_loss(
            model, PATH, VELOCITY, latents, chosen, generator=generator
        )

    def ready(self, model: TextToImage, about: dict) -> LatentDiffusion:
        """Return the model with its tokenizer and its autoencoder."""
        return LatentDiffusion(
            model,
            WordTokenizer.from_dict(about["tokenizer"]),
            load_recipe(EMOJI_AUTOENCODER),
        )

    def measure(self, model: TextToImage) -> dict:
        """Return how well pictures fit their captions, as those who know the pictures
        judge it.
        """
        loaded = LatentDiffusion(
            model, self.pictures.tokenizer(), load_recipe(EMOJI_AUTOENCODER)
        )
        metrics = self.pictures.measure(
            lambda captions: self.draw_captions(loaded, captions, self.seed), self.seed
        )
        return metrics | {
            "sampler": f"DDIM, {self.sampler_steps} steps, guidance {self.guidance}"
        }

    def headline(self, metrics: dict) -> str:
        """Return the one number that matters most, in words."""
        return self.pictures.headline(metrics)

    def draw(
        self, loaded: LatentDiffusion, wishes: Wishes, count: int, seed: int
    ) -> Float[Tensor, "count 3 height width"]:
        """Return pictures of the prompt.

        Raises:
            ValueError: If there is no prompt, or it has a word that captions never
                have.
        """
        if wishes.prompt is None:
            raise ValueError(
                "What should be drawn? Give a prompt, such as "
                f'"{self.pictures.example}".'
            )
        steps = self.sampler_steps if wishes.steps is None else wishes.steps
        guidance = self.guidance if wishes.guidance is None else wishes.guidance
        return loaded.draw(
            [wishes.prompt] * count, steps=steps, guidance=guidance, seed=seed
        )

    def draw_captions(
        self, loaded: LatentDiffusion, captions: Sequence[str], seed: int
    ) -> Tensor:
        """Return a picture for each caption, as the recipe draws where nothing else is
        wished.
        """
        return loaded.draw(
            captions, steps=self.sampler_steps, guidance=self.guidance, seed=seed
        )


@torch.no_grad()
def encode_all(
    autoencoder: ImageAutoencoder, images: Float[Tensor, "n 3 height width"], seed: int
) -> Float[Tensor, "n latent rows columns"]:
    """Return the scaled latents of many pictures, one part after another."""
    generator = torch.Generator().manual_seed(seed)
    return torch.cat(
        [autoencoder.to_latents(some, generator) for some in images.split(500)]
    )


OPTIMIZER = OptimizerSettings(
    matrix_lr=0.02,
    kernel_lr=0.02,
    embedding_lr=0.01,
    head_lr=0.003,
    vector_lr=0.003,
    momentum=0.95,
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
    optimizer=OPTIMIZER,
    batch_size=64,
    steps=10_000,
    warmup_steps=100,
    ema_decay=0.999,
    published=True,
)
"""The model of chapter 10 that stands beside `shapes-diffusion`: the same U-Net on
latents in place of pixels.
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
    optimizer=OPTIMIZER,
    batch_size=64,
    steps=6_000,
    warmup_steps=100,
    ema_decay=0.999,
    guidance=3.0,
    published=True,
)
"""The model of chapter 10 that draws emoji."""
