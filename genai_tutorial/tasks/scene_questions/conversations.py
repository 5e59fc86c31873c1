"""Images with questions: conversations as rows of tokens, where only the answers carry
loss, endless batches of new ones, and videos with a shape that only one frame shows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from genai_tutorial.tasks import EndlessBatches
from genai_tutorial.tasks.shapes import (
    Scene,
    Shape,
    Split,
    caption_words,
    load_shapes,
    random_scenes,
    render,
)
from genai_tutorial.tokenization import WordTokenizer

from .questions import NUMBERS, SceneQuestion, SceneQuestionKind, ask

_OTHER_WORDS = (
    "what colour shape size is the thing how many shapes are there where relative to "
    "describe : ? yes no none"
)

QUESTION_TOKENIZER = WordTokenizer(
    tuple(sorted({*caption_words(), *_OTHER_WORDS.split(), *NUMBERS}))
)
"""A tokenizer of the words of all questions, answers and captions."""

CONVERSATION_MIXTURE: Mapping[SceneQuestionKind, float] = dict.fromkeys(
    get_args(SceneQuestionKind), 1.0
)
"""The frequency with which each kind of question is tried, relative to the others."""


@dataclass(frozen=True)
class SceneQuestions:
    """Images with questions.

    Attributes:
        questions: The questions about each image.
    """

    images: Float[Tensor, "n 3 height width"]
    scenes: tuple[Scene, ...]
    questions: tuple[tuple[SceneQuestion, ...], ...]

    def one_by_one(self) -> tuple[Int[Tensor, "question"], list[SceneQuestion]]:
        """Return all questions, and before them the number of each one's image."""
        rows = [row for row, asked in enumerate(self.questions) for _ in asked]
        return torch.tensor(rows), [q for asked in self.questions for q in asked]


class ConversationRows(NamedTuple):
    """Rows of tokens, one for each image.

    Attributes:
        ids: Questions and answers, right-padded.
        is_answer: True for tokens that belong to an answer or end one.
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
    mixture: Mapping[SceneQuestionKind, float] = CONVERSATION_MIXTURE,
) -> tuple[SceneQuestion, ...]:
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
    split: Split = "train",
    mixture: Mapping[SceneQuestionKind, float] = CONVERSATION_MIXTURE,
) -> SceneQuestions:
    """Draw scenes, render them and draw questions about each.

    Args:
        kinds: The number of kinds of questions that are tried on each image.
        split: `train`, or scenes that contain what is held out, see `load_shapes`.

    Raises:
        ValueError: If a number is out of range, or there is no such split or kind.

    >>> loaded = load_scene_questions(2, seed=0)
    >>> question = loaded.questions[0][0]
    >>> question.text, question.answer
    ('is the triangle above the square ?', 'no')
    """
    shapes = load_shapes(n, seed, split=split)
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
    questions: Sequence[Sequence[SceneQuestion]],
) -> ConversationRows:
    """Write the questions about each image into one row, each followed by its answer
    and an end token.

    >>> asked = SceneQuestion("count", "how many shapes are there ?", "two")
    >>> rows = pack_conversations([[asked]])
    >>> QUESTION_TOKENIZER.decode(rows.ids[0].tolist())
    'how many shapes are there ? two'
    >>> rows.is_answer[0].tolist()  # the answer and its end
    [False, False, False, False, False, False, True, True]
    """
    rows: list[list[Tensor]] = [[], [], []]
    for asked in questions:
        ids, is_answer, documents = [], [], []
        for number, question in enumerate(asked, start=1):
            text = QUESTION_TOKENIZER.encode(question.text)[:-1]
            answer = QUESTION_TOKENIZER.encode(question.answer)
            ids += text + answer
            is_answer += [False] * len(text) + [True] * len(answer)
            documents += [number] * (len(text) + len(answer))
        rows[0].append(torch.tensor(ids, dtype=torch.long))
        rows[1].append(torch.tensor(is_answer, dtype=torch.bool))
        rows[2].append(torch.tensor(documents, dtype=torch.long))
    ids, is_answer, documents = (
        pad_sequence(row, batch_first=True, padding_value=padding)
        for row, padding in zip(rows, (QUESTION_TOKENIZER.PADDING, 0, 0), strict=True)
    )
    after = torch.tensor([len(asked) + 1 for asked in questions])[:, None]
    # the padding is a separate text
    return ConversationRows(
        ids, is_answer, torch.where(documents == 0, after, documents)
    )


Conversations = tuple[
    Float[Tensor, "batch 3 height width"],
    Int[Tensor, "batch token"],
    Bool[Tensor, "batch token"],
    Int[Tensor, "batch token"],
]
"""Images, and the ids, loss mask and question numbers of their conversations."""


class ConversationBatches(EndlessBatches):
    """Endless batches of new images, each with several questions and their answers.

    Args:
        batch_size: The number of images in a batch, over all processes.
        kinds: The number of kinds of questions that are tried on each image.
        share: `rank` and `world_size`, see `EndlessBatches`.
    """

    def __init__(
        self,
        batch_size: int,
        seed: int,
        kinds: int,
        mixture: Mapping[SceneQuestionKind, float] = CONVERSATION_MIXTURE,
        **share: int,
    ):
        super().__init__(batch_size, seed, **share)
        self.kinds, self.mixture = kinds, mixture

    def __next__(self) -> Conversations:
        """Return the next batch."""
        scenes = random_scenes(self.batch_size, self._generator)
        questions = [
            draw_questions(scene, self.kinds, self._generator, self.mixture)
            for scene in scenes
        ]
        return render(scenes[self.mine]), *pack_conversations(questions[self.mine])


class NeedleFilms(NamedTuple):
    """Films with a question each.

    Attributes:
        needles: The number of the frame with the needle, from 0.
        questions: The question for the colour of the shape that only this frame has.
    """

    films: Float[Tensor, "film frame 3 height width"]
    scenes: tuple[tuple[Scene, ...], ...]
    needles: Int[Tensor, "film"]
    questions: tuple[SceneQuestion, ...]


def load_needle_films(n: int, frames: int, seed: int) -> NeedleFilms:
    """Draw films of independent scenes of one or two objects.

    >>> loaded = load_needle_films(2, frames=4, seed=0)
    >>> loaded.films.shape, loaded.questions[0].text
    (torch.Size([2, 4, 3, 32, 32]), 'what colour is the square ?')
    """
    generator = torch.Generator().manual_seed(seed)
    needles = torch.randint(frames, (n,), generator=generator)
    hidden = random_scenes(n, generator, objects=[1])
    things = [scene.objects[0] for scene in hidden]
    scenes = []
    for thing, needle in zip(things, needles.tolist(), strict=True):
        row = _scenes_without(thing.shape, frames, generator)
        row[needle] = Scene((thing,))
        scenes.append(tuple(row))
    pictures = render([scene for row in scenes for scene in row])
    questions = (
        SceneQuestion(
            "colour", f"what colour is the {thing.shape} ?", thing.colour, (thing,)
        )
        for thing in things
    )
    return NeedleFilms(
        pictures.unflatten(0, (n, frames)), tuple(scenes), needles, tuple(questions)
    )


def _scenes_without(
    shape: Shape, count: int, generator: torch.Generator
) -> list[Scene]:
    """Draw scenes that do not contain a shape."""
    found: list[Scene] = []
    while len(found) < count:
        found += [
            scene
            for scene in random_scenes(4 * count, generator, objects=[1, 2])
            if shape not in {thing.shape for thing in scene.objects}
        ]
    return found[:count]
