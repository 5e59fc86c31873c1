"""The recipes for the decoders that are trained on the characters of Shakespeare's
plays.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from genai_tutorial.data import SHAKESPEARE_SOURCE, load_shakespeare
from genai_tutorial.metrics import evaluate_language_model
from genai_tutorial.tokenization import CharacterTokenizer
from genai_tutorial.training import TokenBatches
from genai_tutorial.transformer import DecoderConfig, DecoderLM, language_model_loss

from .recipe import DECODER_RATES, RunSettings, Trained, draw_items
from .sampling import DecoderRecipe, LoadedDecoder, TextOptions, continue_text

EVAL_CHARACTERS = 32_768
"""The number of held-out characters that are scored during a run; the whole text is
scored at the end.
"""


@dataclass(frozen=True, kw_only=True)
class LanguageRecipe(DecoderRecipe):
    """A recipe for a decoder trained on Shakespeare's plays."""

    source = SHAKESPEARE_SOURCE
    options = TextOptions(prompt="\n", temperature=0.8, tokens=500)
    metric = "held_out_nats_per_character"
    in_words = "{held_out_nats_per_character:.3f} nats per character on unseen plays"

    def fit(self, run: RunSettings) -> Trained:
        plays = load_shakespeare()
        tokenizer = CharacterTokenizer.from_text(plays.train)
        text, held_out = (
            torch.tensor(tokenizer.encode(part))
            for part in (plays.train, plays.validation)
        )
        length = self.config.context_length
        return run.fit(
            self,
            self.build(),
            TokenBatches(text, length, self.batch_size, self.seed, **run.share),
            language_model_loss,
            evaluate=lambda model: held_out_loss(model, held_out[:EVAL_CHARACTERS]),
            evaluate_every=200,
            notes={"tokenizer": tokenizer.to_dict()},
        )

    def measure(self, model: DecoderLM) -> dict:
        plays = load_shakespeare()
        held_out = torch.tensor(
            CharacterTokenizer.from_text(plays.train).encode(plays.validation)
        )
        return {
            "held_out_nats_per_character": round(held_out_loss(model, held_out), 4),
            "held_out_characters": len(held_out),
            "held_out_plays": list(plays.validation_titles),
            "windows": f"of {model.config.context_length} characters, without overlap",
        }

    def score(self, loaded: LoadedDecoder, n: int, seed: int) -> list:
        model, tokenizer = loaded
        held_out = torch.tensor(tokenizer.encode(load_shakespeare().validation))
        length = self.config.context_length
        starts = range(0, len(held_out) - length, length)
        return [
            held_out_loss(model, held_out[start : start + length + 1])
            for start in draw_items(starts, n, seed)
        ]

    def wrap(self, model: DecoderLM, card: dict) -> LoadedDecoder:
        return model, CharacterTokenizer.from_dict(card["tokenizer"])

    def write(self, loaded: LoadedDecoder, options: TextOptions, seed: int) -> str:
        ids = loaded[1].encode(options.prompt)
        return options.prompt + continue_text(loaded, ids, options, seed)


def held_out_loss(model: DecoderLM, tokens: Int[Tensor, " length"]) -> float:
    """Return a decoder's loss on a text, in nats per token, read in windows of its
    context length without overlap.
    """
    return evaluate_language_model(
        model, tokens, model.config.context_length
    ).nats_per_token


LIVE = LanguageRecipe(
    name="shakespeare-live",
    title=(
        "A decoder with 0.8 million parameters that learns Shakespeare's characters in "
        "about a minute"
    ),
    # Two blocks and tables for pairs and triples: as many parameters as four blocks, in
    # half the time per step.
    config=DecoderConfig.fast(
        vocab_size=64,
        context_length=64,
        width=128,
        layers=2,
        heads=4,
        convolution_size=1,
        pair_features=64,
        triple_features=16,
    ),
    optimizer=DECODER_RATES,
    batch_size=32,
    steps=600,
    warmup_steps=10,
    published=False,
)
"""The fast model that chapter 4 trains live, for fewer steps."""

LONGER = LanguageRecipe(
    name="shakespeare",
    title=(
        "The same in larger: 1.9 million weights, 1,450 steps, half an hour on two "
        "busy cores"
    ),
    config=DecoderConfig.fast(
        vocab_size=64,
        context_length=128,
        width=160,
        layers=5,
        heads=5,
        convolution_size=1,
        pair_features=64,
        triple_features=8,
    ),
    optimizer=DECODER_RATES,
    batch_size=32,
    steps=1450,
    warmup_steps=50,
    final_factor=27 / 47,
    cooldown_steps=400,
)
"""The checkpoint that chapter 4 loads."""
