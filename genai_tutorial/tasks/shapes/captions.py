"""Captions of scenes: the sentences of a grammar so small that each can be parsed
unambiguously.

    caption:  object [place]
              | object relation object [and relation object]
              | object and object [and object]
    object:   a/an [small/large] [colour] shape
    relation: above, below, left of, right of
    place:    in the middle, at the top, at the bottom, on the left, on the right
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from typing import get_args

from jaxtyping import Int
from torch import Tensor

from genai_tutorial.tokenization import WordTokenizer

from .scenes import (
    OPPOSITE,
    Colour,
    Place,
    Scene,
    Shape,
    Size,
    SpatialRelation,
    place,
    relation,
)


@dataclass(frozen=True)
class ObjectDescription:
    """The description of an object; None for attributes that the caption omits."""

    shape: Shape
    colour: Colour | None = None
    size: Size | None = None

    def text(self) -> str:
        """Return the words of the description, with the article."""
        words = [word for word in (self.size, self.colour, self.shape) if word]
        return " ".join(["an" if words[0][0] in "aeiou" else "a", *words])


@dataclass(frozen=True)
class Description:
    """The content of a caption.

    Attributes:
        relations: The relation of the first object to the second, and to the third;
            empty if the caption omits them.
        place: The place of the only object; None if the caption omits it.
    """

    objects: tuple[ObjectDescription, ...]
    relations: tuple[SpatialRelation, ...] = ()
    place: Place | None = None

    def text(self) -> str:
        """Return the caption with this content.

        >>> red = ObjectDescription("circle", "red", "small")
        >>> Description((red, ObjectDescription("square", "orange")), ("above",)).text()
        'a small red circle above an orange square'
        """
        first, *others = (thing.text() for thing in self.objects)
        if self.place is not None:
            return f"{first} {self.place}"
        if not self.relations:
            return " and ".join([first, *others])
        related = map(" ".join, zip(self.relations, others, strict=True))
        return f"{first} {' and '.join(related)}"


def describe(scene: Scene) -> Description:
    """Return the full description of a scene, in the order of its objects.

    Raises:
        ValueError: If the scene is empty or has more than three objects.
    """
    if not 1 <= len(scene.objects) <= 3:
        raise ValueError(
            f"A caption describes one to three objects, got {len(scene.objects)}"
        )
    first, *others = scene.objects
    return Description(
        objects=tuple(
            ObjectDescription(thing.shape, thing.colour, thing.size)
            for thing in scene.objects
        ),
        relations=tuple(relation(first, other) for other in others),
        place=None if others else place(first),
    )


def caption(scene: Scene) -> str:
    """Return the full caption of a scene: sizes, colours, shapes, and relations or the
    place.

    >>> from genai_tutorial.tasks.shapes import SceneObject
    >>> caption(Scene((SceneObject("red", "circle", left=12, top=1, diameter=8),)))
    'a small red circle at the top'
    """
    return describe(scene).text()


def full_captions(scene: Scene) -> tuple[str, ...]:
    """Return all captions that omit nothing: the one that `caption` returns, and those
    in another order of the objects.
    """
    return tuple(description.text() for description in _in_each_order(describe(scene)))


def all_captions(scene: Scene) -> tuple[str, ...]:
    """Return every caption that is true of a scene, short ones too: without sizes,
    without relations or place.
    """
    texts = []
    for full in _in_each_order(describe(scene)):
        without_sizes = tuple(replace(thing, size=None) for thing in full.objects)
        for objects in (full.objects, without_sizes):
            texts += [
                replace(full, objects=objects).text(),
                Description(objects).text(),
            ]
    return tuple(dict.fromkeys(texts))  # each once, in order


def _in_each_order(full: Description) -> list[Description]:
    """Return the same description with its objects in each order that the grammar
    allows.
    """
    if len(full.objects) == 2:
        return [full, Description(full.objects[::-1], (OPPOSITE[full.relations[0]],))]
    first, *others = full.objects
    orders = permutations(zip(others, full.relations, strict=True))
    return [
        replace(
            full,
            objects=(first, *(o for o, _ in order)),
            relations=tuple(r for _, r in order),
        )
        for order in orders
    ]


def parse_caption(text: str) -> Description:
    """Parse a caption.

    Raises:
        ValueError: If it is not a sentence of the grammar.

    >>> parse_caption("a red circle left of a large square").objects[1]
    ObjectDescription(shape='square', colour=None, size='large')
    """
    reader = _Reader(text)
    objects, relations = [reader.object()], []
    where = reader.phrase(get_args(Place))
    while where is None and not reader.ended and len(objects) < 3:
        if len(objects) == 1:
            how = reader.expect(("and", *get_args(SpatialRelation)))
        else:
            how = reader.expect(("and",))
            how = reader.expect(get_args(SpatialRelation)) if relations else how
        if how != "and":
            relations.append(how)
        objects.append(reader.object())
    reader.end()
    return Description(tuple(objects), tuple(relations), where)


class _Reader:
    """Consumes a caption word by word, and records which phrases it has tried since the
    last word.
    """

    def __init__(self, text: str):
        self.text, self.words, self.at = text, text.lower().split(), 0
        self.looked_for: list[str] = []

    @property
    def ended(self) -> bool:
        return self.at == len(self.words)

    def phrase(self, choices: tuple[str, ...]) -> str | None:
        """Consume one of these phrases if it comes next."""
        for choice in choices:
            words = choice.split()
            if self.words[self.at : self.at + len(words)] == words:
                self.at += len(words)
                self.looked_for = []
                return choice
        self.looked_for += choices
        return None

    def expect(self, choices: tuple[str, ...]) -> str:
        """Consume one of these phrases, and raise an error if none comes next."""
        phrase = self.phrase(choices)
        if phrase is None:
            self.complain(", ".join(map(repr, self.looked_for)))
        return phrase

    def object(self) -> ObjectDescription:
        self.expect(("a", "an"))
        size = self.phrase(get_args(Size))
        colour = self.phrase(get_args(Colour))
        return ObjectDescription(self.expect(get_args(Shape)), colour, size)

    def end(self) -> None:
        if not self.ended:
            self.complain(
                "the end (at most three objects, and a place only for a single one)"
            )

    def complain(self, expected: str) -> None:
        came = "the end" if self.ended else repr(self.words[self.at])
        after = f" after {' '.join(self.words[: self.at])!r}" if self.at else ""
        raise ValueError(
            f"The caption {self.text!r} is not one that scenes have: expected "
            f"{expected}{after}, got {came}. "
            "Write, for example, 'a small red circle above a large blue square'"
        )


def caption_words() -> tuple[str, ...]:
    """Return the vocabulary of captions, sorted.

    >>> len(caption_words())
    27
    """
    kinds = (Size, Colour, Shape, SpatialRelation, Place)
    phrases = ["a an and", *(phrase for kind in kinds for phrase in get_args(kind))]
    return tuple(sorted({word for phrase in phrases for word in phrase.split()}))


CAPTION_TOKENIZER = WordTokenizer(caption_words())

CAPTION_LENGTH = 17
"""The number of tokens of the longest caption, with its end token."""


def encode_captions(captions: Sequence[str]) -> Int[Tensor, "caption 17"]:
    """Return the tokens of captions, padded to `CAPTION_LENGTH`.

    Raises:
        ValueError: If a caption has a word that is not in the vocabulary, or is too
            long.

    >>> encode_captions(["a red circle"]).shape
    torch.Size([1, 17])
    """
    return CAPTION_TOKENIZER.encode_batch(captions, CAPTION_LENGTH)


def class_captions() -> dict[tuple[Colour, Shape], tuple[str, ...]]:
    """Return for each colour and shape the captions that describe it in every size and
    at every position: an ensemble of prompts for zero-shot classification.

    >>> captions = class_captions()
    >>> len(captions), captions["purple", "circle"][0]
    (24, 'a small purple circle in the middle')
    """
    return {
        (colour, shape): tuple(
            Description((ObjectDescription(shape, colour, size),), place=where).text()
            for size in get_args(Size)
            for where in get_args(Place)
        )
        for colour in get_args(Colour)
        for shape in get_args(Shape)
    }
