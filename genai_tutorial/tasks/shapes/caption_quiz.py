"""A quiz for judges of pictures and captions: which of two captions is true, if the
false one is wrong in one respect only?
"""

from dataclasses import dataclass, replace
from typing import Literal, get_args

from jaxtyping import Float
from torch import Tensor

from genai_tutorial.tasks.shapes.captions import Description, describe
from genai_tutorial.tasks.shapes.pictures import CaptionedScenes
from genai_tutorial.tasks.shapes.random_scenes import HELD_OUT_PAIRS, HELD_OUT_RELATIONS
from genai_tutorial.tasks.shapes.scenes import OPPOSITE

Respect = Literal["colour", "shape", "size", "relation"]


@dataclass(frozen=True)
class CaptionQuiz:
    """Pictures of two objects, each with a true caption and a false one."""

    images: Float[Tensor, "n 3 32 32"]
    true_captions: tuple[str, ...]
    false_captions: tuple[str, ...]


def caption_quiz(shapes: CaptionedScenes, respect: Respect, count: int) -> CaptionQuiz:
    """Make a quiz from the first `count` pictures that have a fair false caption in
    this respect.

    A false caption exchanges the colours, shapes or sizes of the two objects, or turns
    their relation around. It is fair if it does not describe the same objects (unless
    the relation is what is false), and if nothing in it is held out of training.

    Args:
        shapes: Pictures of two objects.
        respect: What the false caption has wrong.
        count: The number of pictures; fewer where there are not as many.

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
