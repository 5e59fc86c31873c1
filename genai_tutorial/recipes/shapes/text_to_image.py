"""The base class of the recipes that draw from captions, on pixels or on latents."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genai_tutorial.diffusion import UNetConfig
from genai_tutorial.multimodal import TextEncoderConfig, TextToImage, drop_texts
from genai_tutorial.tasks.shapes import (
    Split,
    caption_accuracy,
    caption_scores,
    load_shapes,
)
from genai_tutorial.tokenization import WordTokenizer

from ..files import load_recipe
from ..options import CaptionOptions
from ..recipe import Recipe
from .clip import SHAPES_CLIP

DrawCaptions = Callable[[Sequence[str]], Float[Tensor, "n 3 32 32"]]
"""Draws a picture for each caption."""


@dataclass(frozen=True, kw_only=True)
class TextToImageRecipe(Recipe):
    """A U-Net that learns to draw from captions."""

    config: UNetConfig
    text: TextEncoderConfig
    text_from: str | None
    text_dropout: float = 0.1
    sampler_steps: int = 25
    guidance: float = 2.0

    makes: ClassVar[str] = "images"

    @property
    def options(self) -> CaptionOptions:
        """The recipe's sampler; the prompt has no default."""
        return CaptionOptions(steps=self.sampler_steps, guidance=self.guidance)

    @property
    def sampler(self) -> str:
        """The sampler in words, for the card."""
        return f"DDIM, {self.sampler_steps} steps, guidance {self.guidance}"

    def build(self) -> TextToImage:
        """Return the untrained model."""
        return TextToImage(self.text, self.config, self.seed)

    def build_on_clip(self) -> TextToImage:
        """Return the untrained model with the text encoder of `text_from`."""
        model = self.build()
        if self.text_from is not None:
            clip = load_recipe(SHAPES_CLIP).model
            model.encoder.load_state_dict(clip.text_encoder.state_dict())
        return model

    def hide_texts(
        self, texts: Int[Tensor, "batch token"], generator: torch.Generator
    ) -> Int[Tensor, "batch token"]:
        """Return the texts of a batch, some of them replaced by the empty one."""
        empty = torch.zeros(texts.shape[1], dtype=texts.dtype)
        empty[0] = WordTokenizer.END
        return drop_texts(texts, self.text_dropout, empty, generator)


def caption_metrics(
    draw: DrawCaptions,
    parts: Mapping[str, tuple[tuple[int, ...], Split]],
    count: int,
    seed: int,
) -> dict[str, dict[str, float | None]]:
    """Return how often pictures show what their captions say, for each part."""
    metrics = {}
    for name, (objects, split) in parts.items():
        captions = load_shapes(count, seed, objects, split).captions
        accuracy = caption_accuracy(captions, draw(captions))
        metrics[name] = {
            field.name: round(getattr(accuracy, field.name), 4)
            for field in fields(accuracy)
        }
    return metrics


def everything_shown(
    draw: DrawCaptions, objects: tuple[int, ...], count: int, seed: int
) -> list[bool]:
    """Return for each picture whether it shows everything that its caption
    describes.
    """
    captions = load_shapes(count, seed, objects).captions
    scores = caption_scores(captions, draw(captions))
    return [score.everything == 1 for score in scores]
