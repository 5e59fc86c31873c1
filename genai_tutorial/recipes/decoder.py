"""The base class of recipes that train a decoder with a tokenizer, and the sampling of
their models.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from genai_tutorial.generation import stream
from genai_tutorial.tokenization import BPETokenizer, CharacterTokenizer
from genai_tutorial.transformer import DecoderConfig, DecoderLM

from .options import TextOptions
from .recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class DecoderRecipe(Recipe):
    """A recipe whose model is a decoder with a tokenizer."""

    config: DecoderConfig

    makes: ClassVar[str] = "text"

    def build(self) -> DecoderLM:
        """Return the untrained decoder."""
        return DecoderLM(self.config, self.seed)

    def wrap(self, model: DecoderLM, card: dict) -> tuple[DecoderLM, BPETokenizer]:
        """Return the decoder with its tokenizer."""
        return model, BPETokenizer.from_dict(card["tokenizer"])


def continue_text(
    loaded: tuple[DecoderLM, BPETokenizer | CharacterTokenizer],
    ids: Sequence[int],
    options: TextOptions,
    seed: int,
    stop_tokens: Collection[int] = (),
) -> str:
    """Return a model's continuation of some tokens, up to one of `stop_tokens` or the
    maximum length in the options.
    """
    model, tokenizer = loaded
    new_ids = stream(
        model,
        ids,
        options.tokens,
        temperature=options.temperature,
        top_p=options.top_p,
        stop_tokens=stop_tokens,
        generator=torch.Generator().manual_seed(seed),
    )
    return tokenizer.decode(list(new_ids))
