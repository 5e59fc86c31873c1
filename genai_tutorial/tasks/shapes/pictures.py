"""Random scenes as captioned images, in any number, and sets of them with different
captions.

All attributes are drawn uniformly. Four pairs of colour and shape never occur in
training (`HELD_OUT_PAIRS`), nor do four relations of shapes (`HELD_OUT_RELATIONS`), so
that a test can ask for combinations that a model has never seen.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from genai_tutorial.tasks import check_choice, own_source

from .captions import all_captions, caption, full_captions
from .scenes import (
    DIAMETERS,
    IMAGE_SIZE,
    OPPOSITE,
    Colour,
    Scene,
    SceneObject,
    Shape,
    SpatialRelation,
    render,
)

Split = Literal["train", "new pairs", "new relations"]

HELD_OUT_PAIRS: tuple[tuple[Colour, Shape], ...] = (
    ("orange", "triangle"),
    ("yellow", "square"),
    ("green", "cross"),
    ("purple", "circle"),
)
"""Colours and shapes that never occur together in training, only with all others."""

HELD_OUT_RELATIONS: tuple[tuple[Shape, SpatialRelation, Shape], ...] = (
    ("triangle", "above", "circle"),
    ("square", "above", "cross"),
    ("circle", "left of", "square"),
    ("cross", "left of", "triangle"),
)
"""Relations of two shapes that no training caption describes, in either direction; such
relations of the second and the third object, which no caption names, may occur.
"""

HELD_OUT_EITHER_WAY = {
    *HELD_OUT_RELATIONS,
    *((other, OPPOSITE[how], first) for first, how, other in HELD_OUT_RELATIONS),
}
"""The held-out relations, seen from the first object or from the second."""

_SHAPES, _COLOURS, _RELATIONS = map(get_args, (Shape, Colour, SpatialRelation))
_DIAMETERS = torch.tensor(list(DIAMETERS.values())).flatten()
_BORDER = 1  # empty pixels at the edge of the image
_GAP = 2  # empty pixels between two objects
_MARGIN = 3  # two objects are so many pixels further apart along a relation than across
_CENTRE = 2  # the largest offset from the middle (elsewhere, from the axis)


def random_scenes(
    n: int,
    generator: torch.Generator,
    objects: Sequence[int] = (1, 2, 3),
    split: Split = "train",
) -> tuple[Scene, ...]:
    """Draw scenes without rendering them; the arguments are as for `load_shapes`.

    Objects are at least two pixels apart, and relations are unambiguous: along the
    direction of a relation, centres are at least three pixels further apart than across
    it. A single object is near one of the five positions that a caption can name.
    """
    _check(objects, split)
    choices = torch.tensor(sorted(set(objects)))
    counts = choices[torch.randint(len(choices), (n,), generator=generator)]
    colours, shapes, layout = _draw_kinds(counts, split, generator)
    diameters = _DIAMETERS[torch.randint(len(_DIAMETERS), (n, 3), generator=generator)]
    corners = _draw_corners(counts, layout, diameters, generator)
    drawn = (
        values.tolist() for values in (counts, colours, shapes, corners, diameters)
    )
    scenes = []
    for count, *attributes in zip(*drawn, strict=True):
        things = [
            SceneObject(_COLOURS[colour], _SHAPES[shape], left, top, diameter)
            for colour, shape, (left, top), diameter in zip(*attributes, strict=True)
        ]
        scenes.append(Scene(tuple(things[:count])))
    return tuple(scenes)


@dataclass(frozen=True)
class _Layout:
    """The orientation of a scene."""

    off_middle: Bool[Tensor, "n"]  # a single object is at the top, not in the middle
    sideways: Bool[Tensor, "n"]  # transpose rows and columns
    upside_down: Bool[Tensor, "n"]
    mirrored: Bool[Tensor, "n"]

    def relations(self) -> Int[Tensor, "n other"]:
        """Return the relations of the first object to the second and to the third."""
        vertical = torch.where(
            self.upside_down, _RELATIONS.index("below"), _RELATIONS.index("above")
        )
        horizontal = torch.where(
            self.mirrored, _RELATIONS.index("right of"), _RELATIONS.index("left of")
        )
        both = torch.stack([vertical, horizontal], dim=1)
        return torch.where(self.sideways[:, None], both.flip(1), both)


def _draw_kinds(
    counts: Int[Tensor, "n"], split: Split, generator: torch.Generator
) -> tuple[Int[Tensor, "n object"], Int[Tensor, "n object"], _Layout]:
    """Draw colours, shapes and the layout; redraw those that are not in the split."""
    n = len(counts)
    colours, shapes, turns = (
        torch.zeros(n, columns, dtype=torch.int64) for columns in (3, 3, 4)
    )
    wrong = torch.ones(n, dtype=torch.bool)
    while wrong.any():
        m = int(wrong.sum())
        colours[wrong] = torch.randint(len(_COLOURS), (m, 3), generator=generator)
        shapes[wrong] = torch.randint(len(_SHAPES), (m, 3), generator=generator)
        turns[wrong] = torch.randint(20, (m, 4), generator=generator)
        # Five positions, equally frequent: one in five single objects is in the middle.
        layout = _Layout(turns[:, 0] >= 4, *(turns[:, 1:] % 2).bool().unbind(dim=1))
        wrong = ~_belongs(counts, colours, shapes, layout.relations(), split)
    return colours, shapes, layout


def _belongs(
    counts: Tensor, colours: Tensor, shapes: Tensor, relations: Tensor, split: Split
) -> Bool[Tensor, "n"]:
    pairs, triples = _held_out()
    there = torch.arange(3) < counts[:, None]
    new_pair = (pairs[colours, shapes] & there).any(dim=1)
    related = triples[shapes[:, :1], relations, shapes[:, 1:]]
    new_relation = (related & there[:, 1:]).any(dim=1)
    return (new_pair == (split == "new pairs")) & (
        new_relation == (split == "new relations")
    )


@cache
def _held_out() -> tuple[
    Bool[Tensor, "colour shape"], Bool[Tensor, "first relation second"]
]:
    pairs = torch.zeros(len(_COLOURS), len(_SHAPES), dtype=torch.bool)
    for colour, shape in HELD_OUT_PAIRS:
        pairs[_COLOURS.index(colour), _SHAPES.index(shape)] = True
    triples = torch.zeros(len(_SHAPES), len(_RELATIONS), len(_SHAPES), dtype=torch.bool)
    for first, how, second in HELD_OUT_EITHER_WAY:
        triples[_SHAPES.index(first), _RELATIONS.index(how), _SHAPES.index(second)] = 1
    return pairs, triples


def _draw_corners(
    counts: Int[Tensor, "n"],
    layout: _Layout,
    diameters: Int[Tensor, "n object"],
    generator: torch.Generator,
) -> Int[Tensor, "n object axis"]:
    """Draw the corner of each object; redraw if the second and third objects are too
    close.
    """
    corners = torch.zeros(*diameters.shape, 2, dtype=torch.int64)
    wrong = torch.ones(len(counts), dtype=torch.bool)
    while wrong.any():
        corners[wrong] = _propose_corners(
            counts[wrong], layout.off_middle[wrong], diameters[wrong], generator
        )
        second, third = corners[:, 1], corners[:, 2]
        gaps = torch.maximum(
            third - second - diameters[:, 1:2], second - third - diameters[:, 2:3]
        )
        wrong = (counts == 3) & (gaps.amax(dim=1) < _GAP)
    corners = torch.where(layout.sideways[:, None, None], corners.flip(2), corners)
    turned = torch.stack([layout.mirrored, layout.upside_down], dim=1)[:, None]
    return torch.where(turned, IMAGE_SIZE - diameters[:, :, None] - corners, corners)


def _propose_corners(
    counts: Int[Tensor, "n"],
    off_middle: Bool[Tensor, "n"],
    diameters: Int[Tensor, "n object"],
    generator: torch.Generator,
) -> Int[Tensor, "n object axis"]:
    """Draw corners before the orientation is applied: the second object below the
    first, the third to the right of it.
    """

    def between(low: Tensor, high: Tensor) -> Tensor:
        # only objects that are discarded below have no room
        room = (high - low + 1).clamp(min=1)
        return low + torch.randint(2**40, low.shape, generator=generator) % room

    def one_after_the_other(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        last = IMAGE_SIZE - _BORDER - second
        start = between(torch.full_like(first, _BORDER), last - first - _GAP)
        return start, between(start + first + _GAP, last)

    def near(start: Tensor, first: Tensor, second: Tensor, distance: Tensor) -> Tensor:
        """Draw a position across the relation, with centres closer than along it."""
        middle, reach = 2 * start + first - second, distance - 2 * _MARGIN
        low = -((reach - middle) // 2)
        return between(
            low.clamp(min=_BORDER),
            ((middle + reach) // 2).clamp(max=IMAGE_SIZE - _BORDER - second),
        )

    first, second, third = diameters.unbind(dim=1)
    top, below = one_after_the_other(first, second)
    left, right = one_after_the_other(first, third)
    edge = torch.full_like(first, _BORDER)
    left = torch.where(counts == 2, between(edge, IMAGE_SIZE - _BORDER - first), left)
    middle = (IMAGE_SIZE - first) // 2
    near_middle = [between(middle - _CENTRE, middle + _CENTRE) for _ in range(2)]
    at_the_top = between(edge, IMAGE_SIZE // 3 - (first + 1) // 2)
    left = torch.where(counts == 1, near_middle[0], left)
    top = torch.where(
        counts == 1, torch.where(off_middle, at_the_top, near_middle[1]), top
    )
    second_left = near(left, first, second, 2 * below + second - 2 * top - first)
    third_top = near(top, first, third, 2 * right + third - 2 * left - first)
    corners = [left, top, second_left, below, right, third_top]
    return torch.stack(corners, dim=1).view(-1, 3, 2)


def _check(objects: Sequence[int], split: Split) -> None:
    if not objects or not set(objects) <= {1, 2, 3}:
        raise ValueError(
            f"objects must be some of the numbers 1, 2 and 3, got {objects!r}"
        )
    check_choice("split", split, Split)
    if split == "new relations" and 1 in objects:
        raise ValueError(
            "A single object has no relation: for 'new relations' objects must be 2 "
            f"or 3, got {objects!r}"
        )


SHAPES_SOURCE = own_source(
    "Captioned shapes",
    "load_shapes",
    "as many pictures of one to three coloured shapes as wanted, of 32×32 pixels, "
    "each with exact captions",
    "draws",
)


@dataclass(frozen=True)
class CaptionedScenes:
    """Images with their scenes.

    Attributes:
        images: Red, green and blue of each pixel, from 0 to 1.
    """

    images: Float[Tensor, "n 3 32 32"]
    scenes: tuple[Scene, ...]

    def __len__(self) -> int:
        return len(self.scenes)

    @cached_property
    def captions(self) -> tuple[str, ...]:
        """The full caption of each image."""
        return tuple(caption(scene) for scene in self.scenes)

    def varied_captions(self, generator: torch.Generator) -> tuple[str, ...]:
        """Return a true caption of each image: half of them full, half drawn from all
        captions, which may omit details or change the order.
        """
        chosen = torch.randint(2**31, (len(self), 2), generator=generator).tolist()
        return tuple(
            full if keep % 2 else (texts := all_captions(scene))[which % len(texts)]
            for full, scene, (keep, which) in zip(
                self.captions, self.scenes, chosen, strict=True
            )
        )


def load_shapes(
    n: int, seed: int, objects: Sequence[int] = (1, 2, 3), split: Split = "train"
) -> CaptionedScenes:
    """Draw random scenes and render them.

    Args:
        seed: The same seed gives the same pixels on every machine.
        objects: The possible numbers of objects, each equally frequent: some of 1, 2
            and 3.
        split: `train`, or scenes that contain a pair of colour and shape, or a relation
            of shapes, that is held out of `train`.

    Raises:
        ValueError: If there are no such scenes or no such split, or single objects are
            requested for `new relations`.

    >>> load_shapes(1000, seed=0).captions[0]
    'a large green triangle left of a large yellow cross and above a small green square'
    """
    scenes = random_scenes(n, torch.Generator().manual_seed(seed), objects, split)
    return CaptionedScenes(render(scenes), scenes)


def distinct_scenes(
    n: int, generator: torch.Generator, objects: tuple[int, ...], split: Split = "train"
) -> tuple[Scene, ...]:
    """Draw scenes of which no two share a caption, whichever object it names first.

    Two images with the same caption would count as each other's errors.
    """
    scenes: dict[str, Scene] = {}
    while len(scenes) < n:
        before = len(scenes)
        for scene in random_scenes(max(n, 100), generator, objects, split):
            scenes.setdefault(min(full_captions(scene)), scene)
        if len(scenes) == before:
            raise ValueError(
                f"There are fewer than {n} different captions of this kind: found "
                f"{before}."
            )
    return tuple(scenes.values())[:n]


def retrieval_task(
    n: int,
    seed: int,
    objects: tuple[int, ...] = (2,),
    split: Split = "train",
    pairs: Collection[tuple[Colour, Shape]] | None = None,
) -> tuple[Float[Tensor, "n 3 height width"], tuple[str, ...]]:
    """Return images with different captions, and the full caption of each.

    Args:
        pairs: Keep only scenes in which at least one object has one of these colours
            and shapes; None keeps all.

    Raises:
        ValueError: If there are not that many different captions.
    """
    generator = torch.Generator().manual_seed(seed)
    scenes = distinct_scenes(n if pairs is None else 5 * n, generator, objects, split)
    if pairs is not None:
        scenes = tuple(
            scene
            for scene in scenes
            if any((thing.colour, thing.shape) in pairs for thing in scene.objects)
        )[:n]
    if len(scenes) < n:
        raise ValueError(f"Only {len(scenes)} of {n} scenes have one of these pairs.")
    return render(scenes), tuple(map(caption, scenes))
