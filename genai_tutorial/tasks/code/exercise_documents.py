"""Training documents made of exercises: the program from left to right, with a gap to
fill, or with tests instead of a body.
"""

import random
from collections.abc import Mapping, Sequence
from typing import Literal

from genai_tutorial.alignment import Example, Rows, pack_examples
from genai_tutorial.corpus import (
    INFILL_TOKENS,
    Gap,
    Order,
    draw_gap,
    line_gaps,
    rearrange,
)
from genai_tutorial.tokenization import GPT2_PATTERN, BPETokenizer, train_bpe

from .exercises import Exercise

END, TESTS = "<|endoftext|>", "<|tests|>"
CODE_TOKENS = (END, *INFILL_TOKENS, TESTS)
"""The special tokens of a code model: the end of a document, the three markers of a gap
and the beginning of tests.
"""

Form = Literal["program", "line", "lines", "docstring", "tests"]

MIXTURE: Mapping[Form, float] = {
    "program": 0.45,
    "line": 0.2,
    "lines": 0.1,
    "docstring": 0.15,
    "tests": 0.1,
}
"""The share of each form among the documents of a long training run."""

SHORT_MIXTURE: Mapping[Form, float] = {"program": 0.6, "line": 0.25, "tests": 0.15}
"""The same for half a minute of training, which is too short for the other forms."""

WITHOUT_GAPS: Mapping[Form, float] = {"program": 0.85, "tests": 0.15}
"""The same with programs in place of those with a gap."""

ORDER: Order = "SPM"
"""The order of the pieces. Behind the marker of the middle stands an ordinary program
up to its gap, so what the model has learned from ordinary programs helps at once.
"""

BODY_LINE = 2
"""The number of the first line of a body, behind the signature and the docstring."""


def exercise_document(exercise: Exercise, form: Form, draws: random.Random) -> str:
    """Return one training document, without its end."""
    if form == "program":
        return exercise.program
    if form == "tests":
        return exercise.prompt + TESTS + draw_tests(exercise, draws)
    gap = draw_gap(exercise.program, form, draws, BODY_LINE)
    return rearrange(gap, ORDER)


def draw_tests(exercise: Exercise, draws: random.Random, count: int = 3) -> str:
    """Return lines such as `assert solve([3, -4]) == 9`, with right answers for lists
    of at most three items.
    """
    lists = [items[:3] for items in exercise.inputs(8, draws.randrange(10**9))[1:]]
    drawn = draws.sample(lists, count)
    return "".join(
        f"\nassert {exercise.name}({items}) == {exercise.expected(items)!r}"
        for items in drawn
    )


def body_line_gaps(exercises: Sequence[Exercise]) -> list[Gap]:
    """Return a gap of one line in the body of each program: of the first line in the
    first program, of the second in the second, and so on.
    """
    gaps = []
    for number, exercise in enumerate(exercises):
        lines = line_gaps(exercise.program, BODY_LINE)
        gaps.append(lines[number % len(lines)])
    return gaps


def exercise_documents(
    exercises: Sequence[Exercise], mixture: Mapping[Form, float], seed: int
) -> list[str]:
    """Return one document for each exercise, in forms drawn from a mixture."""
    draws = random.Random(seed)
    forms = draws.choices(
        list(mixture), weights=list(mixture.values()), k=len(exercises)
    )
    return [
        exercise_document(exercise, form, draws)
        for exercise, form in zip(exercises, forms, strict=True)
    ]


def train_code_tokenizer(documents: Sequence[str], vocab_size: int) -> BPETokenizer:
    """Train a tokenizer that has the special tokens of a code model.

    Its pre-tokenizer keeps punctuation and the newline behind it apart. GPT-4's joins
    them, so a prompt that ends in three quotes would end in a token that no program of
    the training data has there.
    """
    return train_bpe(documents, vocab_size, GPT2_PATTERN, CODE_TOKENS)


def encode_documents(
    tokenizer: BPETokenizer, documents: Sequence[str], length: int
) -> Rows:
    """Encode whole documents and pack them into rows.

    No document is cut. A row that began inside a rearranged document would teach the
    model to write markers in the middle of ordinary programs.

    Args:
        tokenizer: A tokenizer with the special tokens of a code model.
        length: The number of tokens in a row; longer documents are left out.

    Raises:
        ValueError: If no document fits into a row.
    """
    end = tokenizer.special_tokens[END]
    encoded = [
        tokenizer.encode(document, allowed_special="all") for document in documents
    ]
    examples = [
        Example((end,), (*ids, end)) for ids in encoded if len(ids) + 2 <= length
    ]
    return pack_examples(examples, length)
