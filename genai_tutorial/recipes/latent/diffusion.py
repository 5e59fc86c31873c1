"""The recipes for the latent diffusion models: scenes from captions, and emoji from
names.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genai_tutorial.data import Source
from genai_tutorial.diffusion import VELOCITY, UNetConfig, diffusion_loss
from genai_tutorial.multimodal import EncoderConfig, TextEncoderConfig, TextToImage
from genai_tutorial.tokenization import WordTokenizer
from genai_tutorial.training import OptimizerSettings, build_optimizer, parallel
from genai_tutorial.vae import encode_images

from ..emoji_autoencoder import EMOJI_AUTOENCODER
from ..files import load_recipe
from ..options import CaptionOptions
from ..recipe import RunSettings, Trained
from ..shapes.clip import SHAPES_CLIP
from ..shapes.diffusion import SHAPES_SCHEDULE
from ..shapes.text_to_image import DrawCaptions, TextToImageRecipe
from ..spot_check import SpotCheck
from .model import LatentDiffusion
from .pictures import Emoji, Scenes


@dataclass(frozen=True, kw_only=True)
class LatentDiffusionRecipe(TextToImageRecipe):
    """A U-Net that learns to draw the latents of captioned pictures."""

    pictures: Scenes | Emoji
    autoencoder: str

    @property
    def source(self) -> Source:
        """The data of the pictures."""
        return self.pictures.source

    def fit(self, run: RunSettings) -> Trained:
        """Encode all pictures, once, and train the model on the latents, or resume a
        run that was stopped.
        """
        images, captions = self.pictures.load(self.seed)
        tokenizer, length = self.pictures.tokenizer(), self.text.context_length
        texts = torch.stack(
            [tokenizer.encode_batch(texts, length) for texts in captions], dim=1
        )
        latents = encode_images(load_recipe(EMOJI_AUTOENCODER), images, self.seed)
        model = self.build_on_clip().to(run.device)
        generator = torch.Generator().manual_seed(self.seed)
        average, history = run.fit(
            parallel(model),
            run.batches((latents, texts), self.batch_size, self.seed),
            lambda model, latents, texts: self.loss(model, latents, texts, generator),
            build_optimizer(model, self.optimizer),
            schedule=self.schedule(),
            ema_decay=self.ema_decay,
            generators=[generator],
        )
        notes = {"tokenizer": tokenizer.to_dict()}
        return Trained(average, history.seconds, notes)

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
        """Return the model with its tokenizer and its autoencoder."""
        return LatentDiffusion(
            model,
            WordTokenizer.from_dict(card["tokenizer"]),
            load_recipe(EMOJI_AUTOENCODER),
        )

    def measure(self, model: TextToImage) -> dict:
        """Return how well pictures fit their captions, by the metrics of their kind."""
        loaded = LatentDiffusion(
            model, self.pictures.tokenizer(), load_recipe(EMOJI_AUTOENCODER)
        )
        metrics = self.pictures.measure(self._drawing(loaded, self.seed), self.seed)
        return metrics | {"sampler": self.sampler}

    def spot_check(self, loaded: LatentDiffusion, n: int, seed: int) -> SpotCheck:
        """Measure how many pictures fit their captions."""
        return self.pictures.spot_check(self._drawing(loaded, seed), n, seed)

    def _drawing(self, loaded: LatentDiffusion, seed: int) -> DrawCaptions:
        return lambda captions: loaded.draw(
            captions, steps=self.sampler_steps, guidance=self.guidance, seed=seed
        )

    def summary(self, metrics: dict) -> str:
        """Return the most important metric as a phrase."""
        return self.pictures.summary(metrics)

    def draw(
        self, loaded: LatentDiffusion, options: CaptionOptions, count: int, seed: int
    ) -> Float[Tensor, "count 3 height width"]:
        """Return pictures for the prompt."""
        return loaded.draw(
            [options.required_prompt(self.pictures.example)] * count,
            steps=options.steps,
            guidance=options.guidance,
            seed=seed,
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
    optimizer=OPTIMIZER,
    batch_size=64,
    steps=6_000,
    warmup_steps=100,
    ema_decay=0.999,
    guidance=3.0,
    published=True,
)
"""The model of chapter 10 that draws emoji."""
