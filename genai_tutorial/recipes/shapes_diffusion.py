"""The recipe for the model that draws scenes of shapes from their captions, and the
base class of all recipes that draw from captions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genai_tutorial.diffusion import (
    VELOCITY,
    UNetConfig,
    diffusion_loss,
    sample_images,
    scaled_linear_schedule,
    zero_terminal_snr,
)
from genai_tutorial.multimodal import TextEncoderConfig, TextToImage, drop_texts
from genai_tutorial.tasks.shapes import (
    CAPTION_LENGTH,
    CAPTION_TOKENIZER,
    SHAPES_SOURCE,
    Split,
    caption_accuracy,
    caption_scores,
    encode_captions,
    load_shapes,
    parse_caption,
)
from genai_tutorial.tokenization import WordTokenizer

from .recipe import U_NET_RATES, ImageSamples, RunSettings, Trained, load_recipe
from .sampling import CaptionOptions, CaptionRecipe, DrawCaptions
from .shapes_clip import SHAPES_CLIP


@dataclass(frozen=True, kw_only=True)
class TextToImageRecipe(CaptionRecipe):
    """A U-Net that learns to draw from captions."""

    config: UNetConfig
    text: TextEncoderConfig
    text_from: str | None

    makes = "images"

    def build(self) -> TextToImage:
        return TextToImage(self.text, self.config, self.seed)

    def build_on_clip(self) -> TextToImage:
        """Return the untrained model with the text encoder of `text_from`."""
        model = self.build()
        if self.text_from is not None:
            clip = load_recipe(SHAPES_CLIP).model
            model.encoder.load_state_dict(clip.text_encoder.state_dict())
        return model

    def known_words(self, loaded: tuple) -> Sequence[str]:
        return loaded[1].words


def hide_texts(
    texts: Int[Tensor, "batch token"], dropout: float, generator: torch.Generator
) -> Int[Tensor, "batch token"]:
    """Return the texts of a batch, some of them replaced by the empty one."""
    empty = torch.zeros(texts.shape[1], dtype=texts.dtype)
    empty[0] = WordTokenizer.END
    return drop_texts(texts, dropout, empty, generator)


def caption_metrics(
    draw: DrawCaptions,
    parts: Mapping[str, tuple[tuple[int, ...], Split]],
    count: int,
    seed: int,
) -> dict[str, dict[str, float | None]]:
    """Return how often images show what their captions say, for each part."""
    metrics = {}
    for name, (objects, split) in parts.items():
        captions = load_shapes(count, seed, objects, split).captions
        accuracy = caption_accuracy(captions, draw(captions))
        metrics[name] = {part: round(n, 4) for part, n in vars(accuracy).items()}
    return metrics


def everything_shown(
    draw: DrawCaptions, objects: tuple[int, ...], count: int, seed: int
) -> list[bool]:
    """Return for each image whether it shows everything that its caption describes."""
    captions = load_shapes(count, seed, objects).captions
    scores = caption_scores(captions, draw(captions))
    return [score.everything == 1 for score in scores]


SHAPES_SCHEDULE = zero_terminal_snr(scaled_linear_schedule(1000))
"""The noise schedule of all models here; they predict the velocity, `VELOCITY`.

A large flat shape remains visible under a lot of noise. With the cosine schedule,
nearly every training step is about edges, and positions are learned poorly; this
schedule spends more of its steps at noise levels where only the position is undecided.
"""

N_EVAL_CAPTIONS = 200
"""The number of captions of each kind that a model is measured with."""


@dataclass(frozen=True, kw_only=True)
class ShapesDiffusionRecipe(TextToImageRecipe):
    """A U-Net that learns to draw scenes from their captions."""

    scenes: int

    source = SHAPES_SOURCE
    example = "a small red circle above a blue square"
    metric = "two_objects.everything"
    in_words = (
        "{one_object[everything]:.1%} of images of one object show all that the "
        "caption says"
    )

    def fit(self, run: RunSettings) -> Trained:
        shapes = load_shapes(self.scenes, self.seed, objects=(1, 2))
        shorter = shapes.varied_captions(torch.Generator().manual_seed(self.seed))
        return run.fit(
            self,
            self.build_on_clip(),
            run.batches(
                self,
                (255 * shapes.images).round().byte(),  # a quarter of the memory
                encode_captions(shapes.captions),
                encode_captions(shorter),
            ),
            self.loss,
            generator=torch.Generator().manual_seed(self.seed),
            notes={"tokenizer": CAPTION_TOKENIZER.to_dict()},
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
        is_full = torch.rand(len(full), generator=generator).to(full.device) < 0.5
        texts = torch.where(is_full[:, None], full, shorter)
        shown = hide_texts(texts, self.text_dropout, generator)
        pixels = images / 127.5 - 1
        return diffusion_loss(
            model, SHAPES_SCHEDULE, VELOCITY, pixels, shown, generator=generator
        )

    def wrap(self, model: TextToImage, card: dict) -> tuple[TextToImage, WordTokenizer]:
        return model, WordTokenizer.from_dict(card["tokenizer"])

    def measure(self, model: TextToImage) -> dict:
        metrics = caption_metrics(
            self.drawing((model, CAPTION_TOKENIZER), self.seed),
            {
                "one_object": ((1,), "train"),
                "two_objects": ((2,), "train"),
                "one_object_new_pairs": ((1,), "new pairs"),
                "two_objects_new_relations": ((2,), "new relations"),
            },
            N_EVAL_CAPTIONS,
            self.seed + 1,
        )
        return metrics | {"captions_each": N_EVAL_CAPTIONS, "sampler": self.sampler}

    def score(
        self, loaded: tuple[TextToImage, WordTokenizer], n: int, seed: int
    ) -> list:
        return everything_shown(self.drawing(loaded, seed), (2,), n, seed)

    def draw(
        self,
        loaded: tuple[TextToImage, WordTokenizer],
        captions: Sequence[str],
        options: CaptionOptions,
        seed: int,
    ) -> Float[Tensor, "count 3 32 32"]:
        return draw_scenes(
            *loaded, captions, steps=options.steps, guidance=options.guidance, seed=seed
        )

    def sample(
        self,
        loaded: tuple[TextToImage, WordTokenizer],
        options: CaptionOptions,
        count: int,
        seed: int,
    ) -> ImageSamples:
        for shape in parse_caption(options.prompt).objects if options.prompt else ():
            if shape.colour is None:
                raise ValueError(
                    f"Name a colour for each shape, as in 'a red {shape.shape}': got "
                    f"{shape.text()!r}."
                )
        return super().sample(loaded, options, count, seed)


def draw_scenes(
    model: TextToImage,
    tokenizer: WordTokenizer,
    captions: Sequence[str],
    *,
    steps: int,
    guidance: float | int,
    seed: int,
) -> Float[Tensor, "count 3 32 32"]:
    """Draw an image for each caption, with DDIM; red, green and blue from 0 to 1.

    Args:
        captions: A caption per image; the empty caption means no condition.
        guidance: The guidance weight; 1 for no guidance.

    Raises:
        ValueError: If a caption has a word that is not in the vocabulary, or is too
            long.
    """
    return sample_images(
        model,
        SHAPES_SCHEDULE,
        VELOCITY,
        tokenizer.encode_batch(captions, CAPTION_LENGTH),
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
    optimizer=U_NET_RATES,
    scenes=60_000,
    batch_size=64,
    steps=11_000,
    warmup_steps=100,
    ema_decay=0.999,
)
"""The model of chapter 9."""
