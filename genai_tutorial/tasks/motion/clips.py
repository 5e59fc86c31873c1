"""Clips: one coloured shape that moves in a straight line, and a caption.

    caption:   object moves direction speed
    direction: left, right, up, down
    speed:     slowly, fast

Attributes are drawn uniformly; four pairs of colour and direction are held out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genai_tutorial.tasks import check_choice, own_source
from genai_tutorial.tasks.shapes import (
    DIAMETERS,
    HELD_OUT_PAIRS,
    IMAGE_SIZE,
    Colour,
    ObjectDescription,
    Scene,
    SceneObject,
    Shape,
    caption_words,
    parse_caption,
    render,
)
from genai_tutorial.tokenization import WordTokenizer

Direction = Literal["left", "right", "up", "down"]
Speed = Literal["slowly", "fast"]

FRAMES = 8
"""The number of frames of a clip."""

STEPS: dict[Direction, tuple[int, int]] = {
    "left": (-1, 0),
    "right": (1, 0),
    "up": (0, -1),
    "down": (0, 1),
}
"""A step of one pixel in each direction, as (right, down)."""

SPEEDS: dict[Speed, int] = {"slowly": 1, "fast": 2}
"""Pixels per frame."""

MOVES = "moves"
"""The word between the object of a caption and its motion."""


@dataclass(frozen=True)
class Motion:
    """A direction and a speed.

    Raises:
        ValueError: If one of them is unknown.

    >>> Motion("left", "fast").velocity
    (-2, 0)
    """

    direction: Direction
    speed: Speed

    def __post_init__(self):
        check_choice("direction", self.direction, Direction)
        check_choice("speed", self.speed, Speed)

    @property
    def velocity(self) -> tuple[int, int]:
        """Pixels per frame, to the right and down."""
        right, down = STEPS[self.direction]
        return right * SPEEDS[self.speed], down * SPEEDS[self.speed]

    def text(self) -> str:
        """Return the motion in the words of a caption."""
        return f"{MOVES} {self.direction} {self.speed}"


MOTIONS = tuple(
    Motion(direction, speed) for direction in get_args(Direction) for speed in SPEEDS
)
"""All motions."""


@dataclass(frozen=True)
class Clip:
    """A moving object.

    >>> clip = Clip(SceneObject("red", "circle", 20, 5, 8), Motion("left", "fast"), 3)
    >>> clip.caption
    'a small red circle moves left fast'
    >>> [scene.objects[0].left for scene in clip.scenes]
    [20, 18, 16]
    """

    thing: SceneObject
    motion: Motion
    frames: int = FRAMES

    @property
    def scenes(self) -> tuple[Scene, ...]:
        """The scene of each frame."""
        (right, down), thing = self.motion.velocity, self.thing
        moved = (
            replace(thing, left=thing.left + right * n, top=thing.top + down * n)
            for n in range(self.frames)
        )
        return tuple(Scene((now,)) for now in moved)

    @property
    def caption(self) -> str:
        """The full caption: size, colour, shape, direction and speed."""
        thing = ObjectDescription(self.thing.shape, self.thing.colour, self.thing.size)
        return f"{thing.text()} {self.motion.text()}"


def parse_motion_caption(text: str) -> tuple[ObjectDescription, Motion]:
    """Return the object that a clip's caption names, and its motion."""
    thing, moves, motion = text.lower().partition(f" {MOVES} ")
    words = motion.split()
    if not moves or len(words) != 2:
        raise ValueError(
            f"The caption {text!r} does not describe a clip. Write, for example, "
            "'a small red circle moves left fast'"
        )
    description = parse_caption(thing)
    if len(description.objects) != 1 or description.place is not None:
        raise ValueError(
            f"The caption of a clip names one object and no place, got {thing!r}"
        )
    return description.objects[0], Motion(*words)


def motion_caption_words() -> tuple[str, ...]:
    """Return the vocabulary: the words of image captions in their order, followed by
    the new words, so that the token ids of the old words stay the same.
    """
    old = caption_words()
    new = {MOVES, *get_args(Direction), *get_args(Speed)} - set(old)
    return (*old, *sorted(new))


ClipSplit = Literal["train", "new motions"]

HELD_OUT_MOTIONS: tuple[tuple[Colour, Direction], ...] = (
    ("red", "up"),
    ("yellow", "left"),
    ("green", "right"),
    ("blue", "down"),
)
"""Pairs of colour and direction that training never shows; these colours occur
with the three other directions.
"""

MOTION_SOURCE = own_source(
    "Moving shapes",
    "load_clips",
    "as many clips of a moving coloured shape as wanted, of eight frames of 32×32 "
    "pixels, each with an exact caption",
    "draws",
)

_BORDER = 1  # empty pixels at the edge of the image


@dataclass(frozen=True)
class CaptionedClips:
    """Rendered clips.

    Attributes:
        films: The frames of each clip: red, green and blue, from 0 to 1.
    """

    films: Float[Tensor, "n frame 3 32 32"]
    clips: tuple[Clip, ...]

    def __len__(self) -> int:
        return len(self.clips)

    @property
    def captions(self) -> tuple[str, ...]:
        """The caption of each clip."""
        return tuple(clip.caption for clip in self.clips)


def load_clips(
    n: int, seed: int, frames: int = FRAMES, split: ClipSplit = "train"
) -> CaptionedClips:
    """Draw random clips and render them.

    Args:
        seed: The same seed gives the same pixels on every machine.
        split: `train`, or `new motions` for the held-out pairs of colour and
            direction.

    Raises:
        ValueError: If a number is out of range, or there is no such split.

    >>> clips = load_clips(100, seed=0)
    >>> clips.films.shape
    torch.Size([100, 8, 3, 32, 32])
    >>> clips.captions[0]
    'a small orange circle moves down fast'
    """
    clips = random_clips(n, torch.Generator().manual_seed(seed), frames, split)
    return CaptionedClips(render_clips(clips), clips)


def render_clips(clips: Sequence[Clip]) -> Float[Tensor, "n frame 3 height width"]:
    """Render clips frame by frame; red, green and blue, from 0 to 1.

    Raises:
        ValueError: If there are no clips, their lengths differ, or an object leaves the
            image.
    """
    if len({clip.frames for clip in clips}) != 1:
        raise ValueError("Give at least one clip, all with the same number of frames.")
    frames = render([scene for clip in clips for scene in clip.scenes])
    return frames.unflatten(0, (len(clips), -1))


def random_clips(
    n: int, generator: torch.Generator, frames: int = FRAMES, split: ClipSplit = "train"
) -> tuple[Clip, ...]:
    """Draw clips without rendering them; the object never leaves the image.

    The pairs of colour and shape that are held out of the training images do not occur.
    """
    _check(frames, split)
    colours, shapes = get_args(Colour), get_args(Shape)
    diameters = [diameter for size in DIAMETERS.values() for diameter in size]
    clips: list[Clip] = []
    while len(clips) < n:
        choices = torch.randint(2**31, (n, 6), generator=generator).tolist()
        for colour, shape, diameter, motion, across, down in choices:
            moves = MOTIONS[motion % len(MOTIONS)]
            named = colours[colour % len(colours)], shapes[shape % len(shapes)]
            held_out = (named[0], moves.direction) in HELD_OUT_MOTIONS
            if named in HELD_OUT_PAIRS or held_out != (split == "new motions"):
                continue
            size = diameters[diameter % len(diameters)]
            left, top = (
                _start(size, speed * (frames - 1), place)
                for speed, place in zip(moves.velocity, (across, down), strict=True)
            )
            clips.append(Clip(SceneObject(*named, left, top, size), moves, frames))
    return tuple(clips[:n])


def _start(size: int, travel: int, place: int) -> int:
    """Return a start from which an object can travel without leaving the image."""
    first = _BORDER + max(0, -travel)
    last = IMAGE_SIZE - _BORDER - size - max(0, travel)
    return first + place % (last - first + 1)


def _check(frames: int, split: ClipSplit) -> None:
    room = IMAGE_SIZE - 2 * _BORDER - max(DIAMETERS["large"])
    longest = room // max(SPEEDS.values()) + 1
    if not 2 <= frames <= longest:
        raise ValueError(
            f"frames must be from 2 to {longest}, so that a fast object stays in the "
            f"picture, got {frames}"
        )
    check_choice("split", split, ClipSplit)


MOTION_TOKENIZER = WordTokenizer(motion_caption_words())
"""A tokenizer for the captions of images and clips; words of image captions have the
same ids as in `CAPTION_TOKENIZER`.
"""

MOTION_CAPTION_LENGTH = 8
"""The number of tokens of the longest clip caption, including the end token."""

MOVES_TOKEN = MOTION_TOKENIZER.encode(MOVES)[0]
"""The token that introduces the motion in a caption."""


def encode_motion_captions(captions: Sequence[str]) -> Int[Tensor, "caption 8"]:
    """Return the tokens of captions, padded to `MOTION_CAPTION_LENGTH`.

    Raises:
        ValueError: If a caption has an unknown word or is too long.

    >>> encode_motion_captions(["a red circle moves left fast"]).shape
    torch.Size([1, 8])
    """
    return MOTION_TOKENIZER.encode_batch(captions, MOTION_CAPTION_LENGTH)
