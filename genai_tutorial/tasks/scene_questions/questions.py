"""Questions about scenes of shapes, each with one exact answer; the accuracy of answers
by kind of question, beside a blind baseline; object hallucination; and the share of
attention on the squares that objects cover.

The questions are drawn so that the answer does not follow from the words: yes is as
frequent as no, and "none" as frequent as each colour.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from genai_tutorial.metrics import Interval, wilson_interval
from genai_tutorial.tasks import check_choice, check_same_length, pick
from genai_tutorial.tasks.shapes import (
    HELD_OUT_EITHER_WAY,
    HELD_OUT_PAIRS,
    IMAGE_SIZE,
    OPPOSITE,
    Colour,
    ObjectDescription,
    Scene,
    SceneObject,
    Shape,
    caption,
    full_captions,
    parse_caption,
    place,
    relation,
)

SceneQuestionKind = Literal[
    "colour", "shape", "size", "count", "existence", "place", "relation", "direction",
    "caption",
]  # fmt: skip

ONE_WORD_KINDS: tuple[SceneQuestionKind, ...] = get_args(SceneQuestionKind)[:-1]
"""The kinds of questions that are answered by one word: all but captions."""

NUMBERS = ("one", "two", "three")

# The share of colour questions about a shape that is not there: in training each shape
# occurs in five colours, so "none" is as frequent as each of them.
SHARE_ABSENT = 1 / 6


@dataclass(frozen=True)
class SceneQuestion:
    """A question about a scene.

    Attributes:
        text: The question, as words with spaces between them.
        answer: The only correct answer; for a caption, one of several.
        about: The objects that the answer depends on; empty if that is all.
    """

    kind: SceneQuestionKind
    text: str
    answer: str
    about: tuple[SceneObject, ...] = ()

    @property
    def asks_new_pair(self) -> bool:
        """True if the question is about the colour or shape of an object whose pair of
        colour and shape is held out of training.
        """
        return self.kind in ("colour", "shape") and any(
            (thing.colour, thing.shape) in HELD_OUT_PAIRS for thing in self.about
        )


# how an object is named, the question about it, and its answer
_ATTRIBUTES: dict[
    str, tuple[Literal["colour", "shape"], str, Callable[[SceneObject], str]]
] = {
    "colour": ("shape", "what colour is the {} ?", lambda thing: thing.colour),
    "shape": ("colour", "what shape is the {} thing ?", lambda thing: thing.shape),
    "size": ("shape", "what size is the {} ?", lambda thing: thing.size),
    "place": ("shape", "where is the {} ?", lambda thing: place(thing).split()[-1]),
}


def ask(
    scene: Scene, kind: SceneQuestionKind, generator: torch.Generator
) -> SceneQuestion | None:
    """Draw a question of one kind, or None if this scene allows no fair one."""
    if kind == "count":
        number = NUMBERS[len(scene.objects) - 1]
        return SceneQuestion(kind, "how many shapes are there ?", number)
    if kind == "caption":
        return SceneQuestion(kind, "describe :", caption(scene))
    if kind in _ATTRIBUTES:
        return _ask_attribute(scene, kind, generator)
    if kind in ("relation", "direction"):
        return _ask_relation(scene, kind, generator)
    check_choice("kind", kind, SceneQuestionKind)
    # existence: a pair of colour and shape that is there, or a near miss
    misses = near_misses(scene)
    if not misses:
        return None
    is_there = bool(torch.randint(2, (1,), generator=generator))
    pairs = _pairs(scene) if is_there else misses
    return ask_existence(scene, *pick(pairs, generator))


def _ask_attribute(
    scene: Scene, kind: SceneQuestionKind, generator: torch.Generator
) -> SceneQuestion | None:
    name, pattern, answer = _ATTRIBUTES[kind]
    unique = _unique(scene, name)
    if not unique:
        return None
    if kind == "colour" and torch.rand(1, generator=generator) < SHARE_ABSENT:
        shapes = {thing.shape for thing in scene.objects}
        absent = pick([s for s in get_args(Shape) if s not in shapes], generator)
        return SceneQuestion(kind, pattern.format(absent), "none")
    thing = pick(unique, generator)
    text = pattern.format(getattr(thing, name))
    return SceneQuestion(kind, text, answer(thing), (thing,))


def _ask_relation(
    scene: Scene, kind: SceneQuestionKind, generator: torch.Generator
) -> SceneQuestion | None:
    """Ask about the first object and another one, in either order, if both can be named
    by their shapes: for the direction, or whether the true relation or its opposite
    holds.
    """
    unique = _unique(scene, "shape")
    first, *others = scene.objects
    others = [other for other in others if other in unique]
    if first not in unique or not others:
        return None
    pair = first, pick(others, generator)
    if torch.randint(2, (1,), generator=generator):
        pair = pair[::-1]
    (subject, other), how = pair, relation(*pair)
    if kind == "direction":
        text = f"where is the {subject.shape} relative to the {other.shape} ?"
        return SceneQuestion(kind, text, how.removesuffix(" of"), pair)
    # Training must have both, or the words would give the answer away.
    opposites = {(subject.shape, way, other.shape) for way in (how, OPPOSITE[how])}
    if not opposites.isdisjoint(HELD_OUT_EITHER_WAY):
        return None
    is_true = bool(torch.randint(2, (1,), generator=generator))
    asked = how if is_true else OPPOSITE[how]
    text = f"is the {subject.shape} {asked} the {other.shape} ?"
    return SceneQuestion(kind, text, "yes" if is_true else "no", pair)


def _pairs(scene: Scene) -> list[tuple[Colour, Shape]]:
    """Return the different pairs of colour and shape in a scene, in order."""
    return list(dict.fromkeys(_kinds(scene.objects)))


def _kinds(
    objects: Iterable[SceneObject | ObjectDescription],
) -> list[tuple[Colour, Shape]]:
    return [(thing.colour, thing.shape) for thing in objects]


def near_misses(scene: Scene) -> list[tuple[Colour, Shape]]:
    """Return the pairs of a colour and a shape that are both in the scene, but not
    together; pairs that are held out of training are left out.
    """
    there = _pairs(scene)
    return [
        (colour, shape)
        for (colour, _), (_, shape) in product(there, there)
        if (colour, shape) not in there and (colour, shape) not in HELD_OUT_PAIRS
    ]


def ask_existence(scene: Scene, colour: Colour, shape: Shape) -> SceneQuestion:
    """Ask whether an object of this colour and shape is in the scene."""
    about = tuple(
        thing
        for thing in scene.objects
        if (thing.colour, thing.shape) == (colour, shape)
    )
    return SceneQuestion(
        "existence",
        f"is there {ObjectDescription(shape, colour).text()} ?",
        "yes" if about else "no",
        about[-1:],
    )


def _unique(scene: Scene, attribute: Literal["colour", "shape"]) -> list[SceneObject]:
    """Return the objects whose colour or shape no other object has."""
    counts = Counter(getattr(thing, attribute) for thing in scene.objects)
    return [one for one in scene.objects if counts[getattr(one, attribute)] == 1]


def invented_objects(scene: Scene, caption: str) -> int:
    """Return the number of objects in a caption that are not in the scene, by colour
    and shape.

    An object that is named twice and exists once counts as one invented object.

    Args:
        caption: A caption that names every object with its colour.

    Raises:
        ValueError: If the caption is not a sentence of the captions' grammar.

    Source: Rohrbach et al., Object Hallucination in Image Captioning, section 3.1
        (CHAIR), https://arxiv.org/abs/1809.02156

    >>> from genai_tutorial.tasks.shapes import SceneObject
    >>> scene = Scene((SceneObject("red", "circle", left=5, top=1, diameter=8),))
    >>> invented_objects(scene, "a small red circle above a large blue square")
    1
    """
    named = Counter(_kinds(parse_caption(caption).objects))
    return (named - Counter(_kinds(scene.objects))).total()


def polling_questions(
    scenes: Sequence[Scene], seed: int, *, only_near_misses: bool = False
) -> list[list[SceneQuestion]]:
    """Ask about one object that is in each scene and one that is not, so that half of
    the answers are yes.

    Args:
        only_near_misses: If true, the absent object has the colour of one object in the
            scene and the shape of another; a scene without near misses gets no
            question. If False, neither its colour nor its shape is in the scene.

    Source: Li et al., Evaluating Object Hallucination in Large Vision-Language Models,
        section 5 (POPE, with random and adversarial objects),
        https://arxiv.org/abs/2305.10355

    >>> from genai_tutorial.tasks.shapes import SceneObject
    >>> scene = Scene((SceneObject("red", "circle", left=5, top=1, diameter=8),))
    >>> [(asked.text, asked.answer) for asked in polling_questions([scene], seed=0)[0]]
    [('is there a red circle ?', 'yes'), ('is there a yellow cross ?', 'no')]
    """
    generator = torch.Generator().manual_seed(seed)
    asked = []
    for scene in scenes:
        present = _kinds(scene.objects)
        colours, shapes = zip(*present, strict=True)
        absent = (
            near_misses(scene)
            if only_near_misses
            else [
                pair
                for pair in product(get_args(Colour), get_args(Shape))
                if pair[0] not in colours
                and pair[1] not in shapes
                and pair not in HELD_OUT_PAIRS
            ]
        )
        drawn = [pick(pairs, generator) for pairs in (present, absent) if absent]
        asked.append([ask_existence(scene, *pair) for pair in drawn])
    return asked


def right_answers(
    questions: Sequence[SceneQuestion], answers: Sequence[str]
) -> list[bool]:
    """Return for each question whether the answer is the right one, word for word.

    Raises:
        ValueError: If there are not as many answers as questions.
    """
    check_same_length(questions=questions, answers=answers)
    pairs = zip(questions, answers, strict=True)
    return [question.answer == answer for question, answer in pairs]


def question_accuracy(
    questions: Sequence[SceneQuestion], answers: Sequence[str]
) -> dict[SceneQuestionKind, Interval]:
    """Return the share of correct answers for each kind that occurs, with Wilson's 95%
    interval.

    >>> asked = SceneQuestion("count", "how many shapes are there ?", "two")
    >>> print(question_accuracy([asked] * 20, ["two"] * 20)["count"])
    1.00 (95% interval 0.84 to 1.00)
    """
    by_kind = defaultdict(list)
    rights = right_answers(questions, answers)
    for question, right in zip(questions, rights, strict=True):
        by_kind[question.kind].append(right)
    return {kind: wilson_interval(sum(n), len(n)) for kind, n in by_kind.items()}


def blind_answers(
    training: Sequence[SceneQuestion], questions: Sequence[SceneQuestion]
) -> list[str]:
    """Return the best answers that words alone allow: for each question the answer that
    was most frequent for the same text in training, and an empty text for a question
    that never occurred.

    >>> often = SceneQuestion("size", "what size is the cross ?", "small")
    >>> once = SceneQuestion("size", "what size is the cross ?", "large")
    >>> blind_answers([often, often, once], [once])
    ['small']
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for question in training:
        counts[question.text][question.answer] += 1
    return [
        counts[question.text].most_common(1)[0][0] if question.text in counts else ""
        for question in questions
    ]


def flipped_pairs(
    questions: Sequence[SceneQuestion], answers: Sequence[str]
) -> Interval | None:
    """Return the share of flipped pairs with two correct answers: the same question
    about two images with different answers, so that an answer from the words alone is
    incorrect at least once.

    Each question is used in one pair at most; None if there is no pair.
    """
    by_text = defaultdict(list)
    rights = right_answers(questions, answers)
    for question, right in zip(questions, rights, strict=True):
        by_text[question.text].append((question.answer, right))
    both_right = []
    for items in by_text.values():
        waiting: list[tuple[str, bool]] = []
        for answer, right in items:
            partner = next((w for w in waiting if w[0] != answer), None)
            if partner is None:
                waiting.append((answer, right))
            else:
                waiting.remove(partner)
                both_right.append(right and partner[1])
    if not both_right:
        return None
    return wilson_interval(sum(both_right), len(both_right))


def captions_right(scenes: Sequence[Scene], captions: Sequence[str]) -> list[bool]:
    """Return for each caption whether it is a full caption of its scene, in any order
    of the objects.
    """
    check_same_length(scenes=scenes, captions=captions)
    pairs = zip(scenes, captions, strict=True)
    return [text in full_captions(scene) for scene, text in pairs]


def covered_squares(
    objects: Iterable[SceneObject], patch_size: int
) -> Bool[Tensor, "square"]:
    """Return a mask of the squares of an image that objects' bounding boxes touch, row
    by row.

    Args:
        patch_size: Height and width of a square in pixels; must divide the image's.

    >>> thing = SceneObject("red", "circle", left=6, top=0, diameter=8)
    >>> covered_squares([thing], patch_size=16).tolist()
    [True, False, False, False]
    """
    if patch_size < 1 or IMAGE_SIZE % patch_size:
        raise ValueError(f"patch_size must divide {IMAGE_SIZE}, got {patch_size}.")
    side = IMAGE_SIZE // patch_size
    covered = torch.zeros(side, side, dtype=torch.bool)
    for thing in objects:
        last = thing.diameter - 1
        rows = slice(thing.top // patch_size, (thing.top + last) // patch_size + 1)
        columns = slice(thing.left // patch_size, (thing.left + last) // patch_size + 1)
        covered[rows, columns] = True
    return covered.flatten()


def attention_on_squares(
    weights: Float[Tensor, "question layer head square"],
    chosen: Bool[Tensor, "question square"],
) -> Float[Tensor, "question layer head"]:
    """Return the share of the attention to an image that falls on the chosen squares.

    A head that attends to all squares equally scores the share of squares that are
    chosen, so compare with that.

    Args:
        weights: The attention to each square; a head's weights may sum to less than 1,
            because the text gets the rest.

    >>> chosen = torch.tensor([[True, False, False, False]])
    >>> attention_on_squares(torch.full((1, 1, 1, 4), 0.1), chosen)
    tensor([[[0.2500]]])
    """
    on_chosen = (weights * chosen[:, None, None]).sum(dim=3)
    return on_chosen / weights.sum(dim=3)
