"""Zero-shot classes: every colour of every shape, described by several captions."""

from typing import get_args

from .captions import Description, ObjectDescription
from .scenes import Colour, Place, Shape, Size


def class_captions() -> dict[tuple[Colour, Shape], tuple[str, ...]]:
    """Return for each colour and shape the captions that describe it in every size and
    at every place: an ensemble of prompts for zero-shot classification.

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
