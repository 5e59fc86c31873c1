"""The recipe of the model that draws scenes of shapes from their captions."""

from dataclasses import dataclass, fields
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genai_tutorial.data.source import Source
from genai_tutorial.diffusion import (
    VELOCITY,
    UNetConfig,
    diffusion_loss,
    sample_images,
    scaled_linear_schedule,
    zero_terminal_snr,
)
from genai_tutorial.multimodal import EncoderConfig, TextEncoderConfig
from genai_tutorial.multimodal.text_to_image import TextToImage, drop_texts
from genai_tutorial.recipes.files import load_recipe
from genai_tutorial.recipes.recipe import RunSettings, Trained, Wishes
from genai_tutorial.recipes.shapes.clip import CONTEXT_LENGTH, SHAPES_CLIP, TOKENIZER
from genai_tutorial.tasks.shapes import caption_accuracy, load_shapes, parse_caption
from genai_tutorial.tasks.shapes.pictures import SOURCE
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

PATH = zero_terminal_snr(scaled_linear_schedule(1000))
"""The way into noise of all models here; what they predict is the velocity, `VELOCITY`.

A large flat shape shows through much noise. With the cosine schedule nearly every step
of training is about edges, and where things stand is hardly learned; this schedule
spends more of its steps in noise where only the place is open.
"""
MEASURED = 200
"""How many captions of each kind a model is measured with."""


@dataclass(frozen=True)
class ShapesDiffusionRecipe:
    """How a U-Net learns to draw what a caption says.

    Attributes:
        name: What `train` and `load` call it.
        title: What it is, in one line.
        text: The text encoder's settings.
        text_from: The CLIP whose text encoder it begins with, and goes on training;
            None begins with random weights.
        config: The denoising network's settings.
        optimizer: The optimisers' settings.
        scenes: How many scenes of one and two objects it is shown, again and again.
        batch_size: The number of scenes in a batch.
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
        seed: Decides the scenes, the first weights, the batches and the noise.
        published: Whether the package carries the trained model.
    """

    name: str
    title: str
    text: TextEncoderConfig
    text_from: str | None
    config: UNetConfig
    optimizer: OptimizerSettings
    scenes: int
    batch_size: int
    steps: int
    warmup_steps: int
    ema_decay: float
    text_dropout: float = 0.1
    sampler_steps: int = 25
    guidance: float = 2.0
    seed: int = 0
    published: bool = False

    source: ClassVar[Source] = SOURCE
    takes: ClassVar[tuple[str, ...]] = ("prompt", "steps", "guidance")

    def build(self, about: dict) -> TextToImage:
        """Return the model that a card describes, its weights not read yet."""
        text = about["recipe"]["text"]
        text = TextEncoderConfig(
            **(text | {"encoder": EncoderConfig(**text["encoder"])})
        )
        return TextToImage(text, UNetConfig(**about["recipe"]["config"]))

    def fit(self, settings: RunSettings) -> Trained:
        """Trains the model, or goes on with a run that was stopped."""
        shapes = load_shapes(self.scenes, self.seed, objects=(1, 2))
        shorter = shapes.varied_captions(torch.Generator().manual_seed(self.seed))
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
                (
                    (255 * shapes.images).round().byte(),  # a quarter of the memory
                    TOKENIZER.encode_batch(shapes.captions, CONTEXT_LENGTH),
                    TOKENIZER.encode_batch(shorter, CONTEXT_LENGTH),
                ),
                self.batch_size,
                self.seed,
                rank=settings.process.rank,
                world_size=settings.process.world_size,
            ),
            lambda model, images, full, shorter: self.loss(
                model, images, full, shorter, generator
            ),
            build_optimizer(model, self.optimizer),
            steps=settings.steps,
            schedule=warmup_linear(self.steps, self.warmup_steps).over(settings.steps),
            ema=average,
            checkpoint=settings.checkpoint,
            generators=[generator],
            progress=settings.progress,
        )
        return Trained(
            average.model, history.seconds, notes={"tokenizer": TOKENIZER.to_dict()}
        )

    def loss(
        self,
        model: nn.Module,
        images: Tensor,
        full: Tensor,
        shorter: Tensor,
        generator: torch.Generator,
    ) -> Float[Tensor, ""]:
        """Return the loss of a batch of scenes: half of them with a full caption, half
        with a varied one.
        """
        chosen = torch.rand(len(full), generator=generator).to(full.device) < 0.5
        empty = torch.zeros(CONTEXT_LENGTH, dtype=full.dtype)
        empty[0] = WordTokenizer.END
        texts = drop_texts(
            torch.where(chosen[:, None], full, shorter),
            self.text_dropout,
            empty,
            generator,
        )
        return diffusion_loss(
            model, PATH, VELOCITY, images / 127.5 - 1, texts, generator=generator
        )

    def ready(
        self, model: TextToImage, about: dict
    ) -> tuple[TextToImage, WordTokenizer]:
        """Return the model with its tokenizer."""
        return model, WordTokenizer.from_dict(about["tokenizer"])

    def measure(self, model: TextToImage) -> dict:
        """Return how often pictures show what captions say, also of pairs and
        relations that training never had.
        """
        metrics = {}
        for name, objects, split in (
            ("one_object", (1,), "train"),
            ("two_objects", (2,), "train"),
            ("one_object_new_pairs", (1,), "new pairs"),
            ("two_objects_new_relations", (2,), "new relations"),
        ):
            captions = load_shapes(MEASURED, self.seed + 1, objects, split).captions
            images = draw_scenes(
                model,
                TOKENIZER,
                captions,
                steps=self.sampler_steps,
                guidance=self.guidance,
                seed=self.seed,
            )
            accuracy = caption_accuracy(captions, images)
            metrics[name] = {
                one.name: round(getattr(accuracy, one.name), 4)
                for one in fields(accuracy)
            }
        return metrics | {
            "captions_each": MEASURED,
            "sampler": f"DDIM, {self.sampler_steps} steps, guidance {self.guidance}",
        }

    def headline(self, metrics: dict) -> str:
        """Return the accuracy in words."""
        return (
            f"{metrics['one_object']['everything']:.1%} of pictures of one object show "
            "all that the caption says"
        )

    def draw(
        self,
        loaded: tuple[TextToImage, WordTokenizer],
        wishes: Wishes,
        count: int,
        seed: int,
    ) -> Float[Tensor, "count 3 32 32"]:
        """Return pictures of the prompt; the empty one leaves open what they show.

        Raises:
            ValueError: If there is no prompt, it is no caption, or a shape has no
                colour: all captions that the model has read name one, and without it
                the picture is often blank, as chapter 9 shows.
        """
        model, tokenizer = loaded
        if wishes.prompt is None:
            raise ValueError(
                'What should be drawn? Give a prompt, such as "a small red circle '
                'above a blue square".'
            )
        for thing in parse_caption(wishes.prompt).objects if wishes.prompt else ():
            if thing.colour is None:
                raise ValueError(
                    f"Name a colour for each shape, as in 'a red {thing.shape}': got "
                    f"{thing.text()!r}."
                )
        return draw_scenes(
            model,
            tokenizer,
            [wishes.prompt] * count,
            steps=self.sampler_steps if wishes.steps is None else wishes.steps,
            guidance=self.guidance if wishes.guidance is None else wishes.guidance,
            seed=seed,
        )


def draw_scenes(
    model: TextToImage,
    tokenizer: WordTokenizer,
    captions: list[str] | tuple[str, ...],
    *,
    steps: int,
    guidance: float | int,
    seed: int,
) -> Float[Tensor, "count 3 32 32"]:
    """Draws a picture for each caption, with DDIM; red, green and blue from 0 to 1.

    Args:
        model: A model of this recipe.
        tokenizer: Its tokenizer.
        captions: What to draw; the empty caption leaves it open.
        steps: How many steps the sampler takes.
        guidance: How strongly the samples are pulled towards their captions; 1 for not
            at all.
        seed: Decides the noise to begin with.

    Raises:
        ValueError: If a caption has a word that captions never have, or is too long.
    """
    return sample_images(
        model,
        PATH,
        VELOCITY,
        tokenizer.encode_batch(captions, CONTEXT_LENGTH),
        (len(captions), 3, 32, 32),
        steps=steps,
        seed=seed,
        guidance=guidance,
        batch_size=100,
    )


SHAPES_DIFFUSION = ShapesDiffusionRecipe(
    name="shapes-diffusion",
    title=(
        "A U-Net of three quarters of a million weights that draws scenes of one or "
        "two shapes from their captions"
    ),
    text=SHAPES_CLIP.config.text,
    text_from=SHAPES_CLIP.name,
    config=UNetConfig(
        image_channels=3, channels=(32, 96), classes=None, text_width=64, image_size=32
    ),
    optimizer=OptimizerSettings(
        matrix_lr=0.02,
        kernel_lr=0.02,
        embedding_lr=0.01,
        head_lr=0.003,
        vector_lr=0.003,
        momentum=0.95,
    ),
    scenes=60_000,
    batch_size=64,
    steps=11_000,
    warmup_steps=100,
    ema_decay=0.999,
    published=True,
)
"""The model of chapter 9."""
