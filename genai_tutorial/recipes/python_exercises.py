"""The recipe of the code model: a decoder trained on generated exercises."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch

from genai_tutorial.alignment import supervised_loss
from genai_tutorial.corpus import docstring_gap
from genai_tutorial.generation import ForbiddenTokens, stream
from genai_tutorial.tasks.code import (
    CODE_TOKENS,
    END,
    EXERCISE_MIXTURE,
    EXERCISES,
    CodeModel,
    Exercise,
    Form,
    body_line_gaps,
    draw_exercises,
    encode_documents,
    exercise_documents,
    exercise_prompt,
    solved,
    train_code_tokenizer,
)
from genai_tutorial.tokenization import BPETokenizer
from genai_tutorial.transformer import DecoderConfig, DecoderLM

from .recipe import DECODER_RATES, RunSettings, Trained, draw_items, mean
from .sampling import DecoderRecipe, LoadedDecoder, TextOptions

HELD_OUT, HELD_OUT_SEED = 200, 16
"""The number of held-out exercises that measure the model, and the seed that draws
them.
"""


@dataclass(frozen=True, kw_only=True)
class ExercisesRecipe(DecoderRecipe):
    """A recipe for a decoder trained on exercises."""

    exercises: int
    tokenizer_exercises: int
    row_length: int
    mixture: Mapping[Form, float]

    source = EXERCISES
    options = TextOptions(
        prompt="Return the sum of the squares of the even numbers.",
        temperature=0,
        tokens=96,
    )
    metric = "lines_filled"
    in_words = "{solved_greedily:.0%} of held-out exercises solved at the first attempt"

    @cached_property
    def documents(self) -> list[str]:
        """The training documents."""
        drawn = draw_exercises(self.exercises, "train", self.seed)
        return exercise_documents(drawn, self.mixture, self.seed)

    def tokenizer(self) -> BPETokenizer:
        return train_code_tokenizer(
            self.documents[: self.tokenizer_exercises], self.config.vocab_size
        )

    def fit(self, run: RunSettings) -> Trained:
        tokenizer = self.tokenizer()
        rows = encode_documents(tokenizer, self.documents, self.row_length)
        return run.fit(
            self,
            self.build(),
            run.batches(self, rows.ids, rows.is_text, rows.documents),
            supervised_loss,
            losses_every=50,
            notes={"tokenizer": tokenizer.to_dict()},
        )

    def measure(self, model: DecoderLM) -> dict:
        writer = CodeModel(model, self.tokenizer())
        exercises = held_out_exercises()
        greedy = writer.complete([exercise.prompt for exercise in exercises], 0)
        sampled = writer.complete(
            [exercise.prompt for exercise in exercises], temperature=0.8
        )
        explained = writer.explain([exercise.program for exercise in exercises])
        again = writer.complete(
            [
                docstring_gap(exercise.program).prefix + explanation + '"""'
                for exercise, explanation in zip(exercises, explained, strict=True)
            ],
            0,
        )
        shares = {
            "solved_greedily": _share_solved(exercises, greedy),
            "solved_at_temperature_0.8": _share_solved(exercises, sampled),
            "lines_filled": mean(_fills(writer, exercises)),
            "explained_and_written_again": _share_solved(exercises, again),
        }
        return {
            **{name: round(share, 4) for name, share in shares.items()},
            "held_out_exercises": HELD_OUT,
        }

    def score(self, loaded: LoadedDecoder, n: int, seed: int) -> list:
        exercises = draw_items(held_out_exercises(), n, seed)
        return _fills(CodeModel(*loaded), exercises)

    def write(self, loaded: LoadedDecoder, options: TextOptions, seed: int) -> str:
        model, tokenizer = loaded
        prompt = exercise_prompt(options.prompt)
        end = tokenizer.special_tokens[END]
        markers = [
            tokenizer.special_tokens[name] for name in CODE_TOKENS if name != END
        ]
        body = stream(
            model,
            [end, *tokenizer.encode(prompt, special_as_text=True)],
            options.tokens,
            temperature=options.temperature,
            top_p=options.top_p,
            stop_tokens=[end],
            constraint=ForbiddenTokens(markers, tokenizer.vocab_size),
            generator=torch.Generator().manual_seed(seed),
        )
        return prompt + tokenizer.decode(list(body))


def held_out_exercises() -> list[Exercise]:
    """Return the held-out exercises that the card's metrics are measured on."""
    return draw_exercises(HELD_OUT, "held-out", HELD_OUT_SEED)


def _fills(writer: CodeModel, exercises: Sequence[Exercise]) -> list[bool]:
    gaps = body_line_gaps(exercises)
    return [
        filled == gap.middle
        for filled, gap in zip(writer.fill(gaps), gaps, strict=True)
    ]


def _share_solved(exercises: Sequence[Exercise], bodies: Sequence[str]) -> float:
    return mean([right for (right,) in solved(exercises, [[body] for body in bodies])])


PYTHON_EXERCISES = ExercisesRecipe(
    name="python-exercises",
    title=(
        "A decoder that writes Python functions on lists from a docstring, fills gaps "
        "and explains programs"
    ),
    config=DecoderConfig.fast(
        vocab_size=512,
        context_length=288,
        width=128,
        layers=4,
        heads=4,
        convolution_size=2,
    ),
    optimizer=DECODER_RATES,
    exercises=16_000,
    tokenizer_exercises=2_000,
    row_length=192,
    mixture=EXERCISE_MIXTURE,
    batch_size=12,
    steps=600,
    warmup_steps=20,
)
"""The model that chapter 16 loads for what half a minute of training cannot teach."""
