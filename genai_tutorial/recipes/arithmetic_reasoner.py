"""The recipe of the arithmetic model: a decoder that adds four numbers step by step."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from genai_tutorial.alignment import supervised_loss
from genai_tutorial.tasks.arithmetic import (
    ARITHMETIC_TOKENIZER,
    END_TOKEN,
    MAX_SUM_TOKENS,
    SUMS,
    ArithmeticQuestion,
    answer_questions,
    backward_scratchpad,
    correct_answers,
    encode_questions,
    example_rows,
    random_sums,
)
from genai_tutorial.transformer import DecoderConfig, DecoderLM

from .recipe import DECODER_RATES, RunSettings, Trained, draw_items, mean
from .sampling import DecoderRecipe, LoadedDecoder, TextOptions, continue_text

HELD_OUT, HELD_OUT_SEED = 1_000, 15
"""The number of held-out sums that measure the model, and the seed that draws them."""


@dataclass(frozen=True, kw_only=True)
class ReasonerRecipe(DecoderRecipe):
    """A recipe for a decoder that writes running totals before the answer."""

    questions: int

    source = SUMS
    options = TextOptions(prompt="16+27+72+84", temperature=0, tokens=MAX_SUM_TOKENS)
    metric = "right_greedily"
    in_words = "{right_greedily:.1%} of unseen sums correct"

    def wrap(self, model: DecoderLM, card: dict) -> LoadedDecoder:
        return model, ARITHMETIC_TOKENIZER

    def fit(self, run: RunSettings) -> Trained:
        rows = example_rows(random_sums(self.questions, self.seed), backward_scratchpad)
        return run.fit(
            self,
            self.build(),
            run.batches(self, *rows.tensors[:2]),
            supervised_loss,
            losses_every=50,
        )

    def measure(self, model: DecoderLM) -> dict:
        asked = held_out_sums()
        return {
            "right_greedily": round(mean(_right(model, asked, 0)), 4),
            "right_at_temperature_1": round(mean(_right(model, asked, 1)), 4),
            "held_out_sums": HELD_OUT,
        }

    def score(self, loaded: LoadedDecoder, n: int, seed: int) -> list:
        asked = draw_items(held_out_sums(), n, seed)
        return _right(loaded[0], asked, 0)

    def write(self, loaded: LoadedDecoder, options: TextOptions, seed: int) -> str:
        question = read_sum(options.prompt)
        (ids,) = encode_questions([question])
        answer = continue_text(loaded, ids, options, seed, [END_TOKEN])
        forwards = re.sub(r"\d+", lambda digits: digits[0][::-1], answer)
        return (
            f"{question.text}{answer}\nwith the digits in the usual order: {forwards}"
        )


def read_sum(text: str) -> ArithmeticQuestion:
    """Return the sum that a text asks for."""
    terms = text.replace(" ", "").removesuffix("=").split("+")
    if len(terms) < 2 or not all(re.fullmatch("[0-9]{1,6}", term) for term in terms):
        raise ValueError(
            f'The prompt must be a sum such as "16+27+72+84", got {text[:40]!r}. The '
            "model was trained on sums of four two-digit numbers."
        )
    return ArithmeticQuestion(tuple(map(int, terms)))


def held_out_sums() -> list[ArithmeticQuestion]:
    """Return the held-out sums that the card's metrics are measured on."""
    return random_sums(HELD_OUT, HELD_OUT_SEED, held_out=True)


def _right(
    model: DecoderLM, asked: Sequence[ArithmeticQuestion], temperature: int
) -> list[bool]:
    with torch.inference_mode():
        texts = answer_questions(model, asked, temperature=temperature)
    return correct_answers(asked, texts, backwards=True)


ARITHMETIC_REASONER = ReasonerRecipe(
    name="arithmetic-reasoner",
    title=(
        "A decoder that adds four two-digit numbers and writes the running totals "
        "first, all digits backwards"
    ),
    config=DecoderConfig.fast(
        ARITHMETIC_TOKENIZER.vocab_size,
        context_length=48,
        width=128,
        layers=2,
        heads=4,
        convolution_size=4,
    ),
    optimizer=DECODER_RATES,
    questions=100_000,
    batch_size=48,
    steps=1_000,
    warmup_steps=10,
)
"""Chapter 15's model, trained three times as long as in the chapter."""
