"""Conversations: rows of tokens with several questions about one picture, where only
the answers carry loss.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from genai_tutorial.tasks.shapes import Scene, Split, caption_words, load_shapes
from genai_tutorial.tokenization import WordTokenizer

from .questions import NUMBERS, Kind, Question, ask

_OTHER_WORDS = (
    "what colour shape size is the thing how many shapes are there where relative to "
    "describe : ? yes no none"
)

QUESTION_TOKENIZER = WordTokenizer(
    tuple(sorted({*caption_words(), *_OTHER_WORDS.split(), *NUMBERS}))
)
"""A tokenizer of the words of all questions, answers and captions."""

MIXTURE: Mapping[Kind, float] = dict.fromkeys(get_args(Kind), 1.0)
"""The frequency with which each kind of question is tried, relative to the others."""


@dataclass(frozen=True)
class SceneQuestions:
    """Pictures with questions.

    Attributes:
        questions: The questions about each picture.
    """

    images: Float[Tensor, "n 3 height width"]
    scenes: tuple[Scene, ...]
    questions: tuple[tuple[Question, ...], ...]

    def one_by_one(self) -> tuple[Int[Tensor, "question"], list[Question]]:
        """Return all questions, and before them the number of each one's picture."""
        rows = [row for row, asked in enumerate(self.questions) for _ in asked]
        return torch.tensor(rows), [q for asked in self.questions for q in asked]


class ConversationRows(NamedTuple):
    """Rows of tokens, one for each picture.

    Attributes:
        ids: Questions and answers, right-padded.
        is_answer: Whether a token belongs to an answer or ends one.
        documents: The number of each token's question in its row, from 1; padding gets
            the next number.
    """

    ids: Int[Tensor, "row token"]
    is_answer: Bool[Tensor, "row token"]
    documents: Int[Tensor, "row token"]


def draw_questions(
    scene: Scene,
    count: int,
    generator: torch.Generator,
    mixture: Mapping[Kind, float] = MIXTURE,
) -> tuple[Question, ...]:
    """Draw different kinds of questions, and ask those that the scene allows."""
    if not 1 <= count <= len(mixture):
        raise ValueError(f"count must be from 1 to {len(mixture)}, got {count}.")
    kinds, weights = list(mixture), torch.tensor(list(mixture.values()))
    drawn = torch.multinomial(weights, count, generator=generator).tolist()
    asked = (ask(scene, kinds[kind], generator) for kind in drawn)
    return tuple(question for question in asked if question is not None)


def load_scene_questions(
    n: int,
    seed: int,
    kinds: int = 6,
    *,
    objects: Sequence[int] = (1, 2, 3),
    split: Split = "train",
    mixture: Mapping[Kind, float] = MIXTURE,
) -> SceneQuestions:
    """Draw scenes, render them and draw questions about each.

    Args:
        seed: Seed of scenes and questions.
        kinds: The number of kinds of questions that are tried on each picture.
        objects: The possible numbers of objects.
        split: `train`, or scenes that contain what is held out, see `load_shapes`.
        mixture: The relative frequency of each kind of question.

    Raises:
        ValueError: If a number is out of range, or there is no such split or kind.

    >>> loaded = load_scene_questions(2, seed=0)
    >>> question = loaded.questions[0][0]
    >>> question.text, question.answer
    ('is the triangle above the square ?', 'no')
    """
    shapes = load_shapes(n, seed, objects, split)
    generator = torch.Generator().manual_seed(seed)
    return SceneQuestions(
        shapes.images,
        shapes.scenes,
        tuple(
            draw_questions(scene, kinds, generator, mixture) for scene in shapes.scenes
        ),
    )


def spaced_question(text: str) -> str:
    """Write a typed question as the tokenizer needs it: in lower case, with spaces
    around its punctuation.

    Raises:
        ValueError: If there is no word in it.

    >>> spaced_question("What colour is the circle?")
    'what colour is the circle ?'
    >>> spaced_question("Describe")
    'describe :'
    """
    words = text.lower().rstrip(" ?:.").split()
    if not words:
        raise ValueError('The question is empty: ask "what colour is the circle?".')
    return " ".join([*words, ":" if words == ["describe"] else "?"])


def pack_conversations(
    questions: Sequence[Sequence[Question]],
) -> ConversationRows:
    """Write the questions about each picture into one row, each followed by its answer
    and an end token.

    >>> asked = Question("count", "how many shapes are there ?", "two")
    >>> rows = pack_conversations([[asked]])
    >>> QUESTION_TOKENIZER.decode(rows.ids[0].tolist())
    'how many shapes are there ? two'
    >>> rows.is_answer[0].tolist()  # the answer and its end
    [False, False, False, False, False, False, True, True]
    """
    rows = [_row(asked) for asked in questions]
    length = max(len(ids) for ids, _, _ in rows)
    shape = len(rows), length
    ids = torch.full(shape, QUESTION_TOKENIZER.PADDING)
    is_answer = torch.zeros(shape, dtype=torch.bool)
    documents = torch.ones(shape, dtype=torch.long)
    for row, (tokens, learned, numbers) in enumerate(rows):
        ids[row, : len(tokens)] = torch.tensor(tokens)
        is_answer[row, : len(tokens)] = torch.tensor(learned)
        documents[row] = 1 + max(numbers, default=0)  # the padding, its own text
        documents[row, : len(tokens)] = torch.tensor(numbers)
    return ConversationRows(ids, is_answer, documents)


def _row(asked: Sequence[Question]) -> tuple[list[int], list[bool], list[int]]:
    """Return the tokens of a row, its mask of answers, and its question numbers."""
    ids, is_answer, documents = [], [], []
    for number, question in enumerate(asked, start=1):
        text = QUESTION_TOKENIZER.encode(question.text)[:-1]
        answer = QUESTION_TOKENIZER.encode(question.answer)
        ids += text + answer
        is_answer += [False] * len(text) + [True] * len(answer)
        documents += [number] * (len(text) + len(answer))
    return ids, is_answer, documents
