"""The caption quiz: can a model that scores captions tell the true caption from a false
one that differs in a single respect?
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from jaxtyping import Bool, Float
from torch import Tensor

from .captions import Description, describe
from .pictures import CaptionedScenes
from .random_scenes import HELD_OUT_PAIRS, HELD_OUT_RELATIONS
from .scenes import OPPOSITE

Respect = Literal["colour", "shape", "size", "relation"]

CaptionScorer = Callable[
    [Float[Tensor, "n 3 height width"], Sequence[str]], Float[Tensor, "n"]
]
"""Scores a caption for each picture; higher means that it fits better."""


@dataclass(frozen=True)
class CaptionQuiz:
    """Pictures of two objects, each with a true and a false caption."""

    images: Float[Tensor, "n 3 32 32"]
    true_captions: tuple[str, ...]
    false_captions: tuple[str, ...]

    def judge(self, score: CaptionScorer) -> Bool[Tensor, "n"]:
        """Return for each picture whether the true caption has the higher score."""
        return score(self.images, self.true_captions) > score(
            self.images, self.false_captions
        )


def caption_quiz(shapes: CaptionedScenes, respect: Respect, count: int) -> CaptionQuiz:
    """Make a quiz from the first `count` pictures that have a fair false caption in
    this respect.

    A false caption swaps the colours, shapes or sizes of the two objects, or reverses
    their relation. It is fair if it describes different objects (unless the relation is
    what is false), and if it contains no combination that is held out of training.

    Args:
        shapes: Pictures of two objects.
        respect: The attribute that is false in the false caption.
        count: The number of pictures; fewer if there are not enough.

    Raises:
        ValueError: If there is no such respect, or a picture has another number of
            objects.

    >>> from genai_tutorial.tasks.shapes import load_shapes
    >>> quiz = caption_quiz(load_shapes(20, seed=1, objects=(2,)), "relation", 1)
    >>> quiz.true_captions[0]
    'a large red cross right of a large green circle'
    >>> quiz.false_captions[0]
    'a large red cross left of a large green circle'
    """
    if respect not in get_args(Respect):
        known = ", ".join(map(repr, get_args(Respect)))
        raise ValueError(f"respect must be one of {known}, got {respect!r}.")
    rows, true_captions, false_captions = [], [], []
    for row, scene in enumerate(shapes.scenes):
        true = describe(scene)
        if len(true.objects) != 2:
            raise ValueError(
                f"Each picture must have two objects, got {len(true.objects)} in "
                f"picture {row}."
            )
        false = _exchanged(true, respect)
        if len(rows) < count and _is_fair(true, false, respect):
            rows.append(row)
            true_captions.append(true.text())
            false_captions.append(false.text())
    return CaptionQuiz(shapes.images[rows], tuple(true_captions), tuple(false_captions))


def _exchanged(true: Description, respect: Respect) -> Description:
    if respect == "relation":
        return replace(true, relations=(OPPOSITE[true.relations[0]],))
    first, second = true.objects
    return replace(
        true,
        objects=(
            replace(first, **{respect: getattr(second, respect)}),
            replace(second, **{respect: getattr(first, respect)}),
        ),
    )


def _is_fair(true: Description, false: Description, respect: Respect) -> bool:
    (first, second), (how,) = false.objects, false.relations
    relations = {
        (first.shape, how, second.shape),
        (second.shape, OPPOSITE[how], first.shape),
    }
    pairs = {(first.colour, first.shape), (second.colour, second.shape)}
    has_same_objects = set(true.objects) == set(false.objects)
    return (
        pairs.isdisjoint(HELD_OUT_PAIRS)
        and relations.isdisjoint(HELD_OUT_RELATIONS)
        and has_same_objects == (respect == "relation")
    )
