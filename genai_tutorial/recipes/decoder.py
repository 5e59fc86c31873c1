"""What the recipes of decoders share: how a card becomes a model with its tokenizer,
and how that writes.
"""

from collections.abc import Sequence
from typing import ClassVar

import torch

from genai_tutorial.generation import stream
from genai_tutorial.recipes.recipe import Wishes
from genai_tutorial.tokenization import BPETokenizer
from genai_tutorial.transformer import DecoderConfig, DecoderLM


class DecoderRecipe:
    """What a recipe inherits whose model is a decoder with a tokenizer; its field
    `config` holds the settings.
    """

    takes: ClassVar[tuple[str, ...]] = ("prompt", "temperature", "top_p", "tokens")

    def build(self, about: dict) -> DecoderLM:
        """Return the decoder that a card describes, its weights not read yet."""
        return DecoderLM(DecoderConfig.from_dict(about["recipe"]["config"]))

    def ready(self, model: DecoderLM, about: dict) -> tuple[DecoderLM, BPETokenizer]:
        """Return the decoder with its tokenizer."""
        return model, BPETokenizer.from_dict(about["tokenizer"])


def continue_text(
    loaded: tuple[DecoderLM, BPETokenizer],
    ids: Sequence[int],
    wishes: Wishes,
    seed: int,
    end: str,
    *,
    tokens: int,
    temperature: float | int,
) -> str:
    """Return what a model writes after some tokens, as wished, until it writes the
    special token `end`.

    Args:
        loaded: The model and its tokenizer.
        ids: What stands before.
        wishes: How it should write.
        seed: Where the chance starts.
        end: The special token that ends the text.
        tokens: The most tokens, where nothing is wished.
        temperature: The temperature, where nothing is wished.

    Raises:
        ValueError: If a number is out of range.
    """
    model, tokenizer = loaded
    pieces = stream(
        model,
        list(ids),
        tokens if wishes.tokens is None else wishes.tokens,
        temperature=temperature if wishes.temperature is None else wishes.temperature,
        top_p=wishes.top_p,
        stop_tokens=[tokenizer.special_tokens[end]],
        generator=torch.Generator().manual_seed(seed),
    )
    return tokenizer.decode(list(pieces))
