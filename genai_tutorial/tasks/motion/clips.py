"""Clips: one coloured shape that moves in a straight line, and a caption with this
grammar.

caption: object moves direction speed
direction: left, right, up, down
speed: slowly, fast
"""

from dataclasses import dataclass
from typing import Literal, get_args

from genai_tutorial.tasks.shapes import (
    ObjectDescription,
    Scene,
    SceneObject,
    caption_words,
    parse_caption,
)

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
        for what, value, known in (
            ("direction", self.direction, STEPS),
            ("speed", self.speed, SPEEDS),
        ):
            if value not in known:
                raise ValueError(
                    f"There is no {what} {value!r} in these clips. There are: "
                    f"{', '.join(known)}"
                )

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

    Attributes:
        thing: The object in the first frame.
        motion: Its direction and speed.

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
        return tuple(
            Scene(
                (
                    SceneObject(
                        thing.colour,
                        thing.shape,
                        thing.left + right * frame,
                        thing.top + down * frame,
                        thing.diameter,
                    ),
                )
            )
            for frame in range(self.frames)
        )

    @property
    def caption(self) -> str:
        """The full caption: size, colour, shape, direction and speed."""
        thing = ObjectDescription(self.thing.shape, self.thing.colour, self.thing.size)
        return f"{thing.text()} {self.motion.text()}"


@dataclass(frozen=True)
class MotionDescription:
    """The content of a clip's caption."""

    thing: ObjectDescription
    motion: Motion


def parse_motion_caption(text: str) -> MotionDescription:
    """Parse the caption of a clip."""
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
    return MotionDescription(description.objects[0], Motion(words[0], words[1]))


def motion_caption_words() -> tuple[str, ...]:
    """Return the vocabulary: the words of image captions in their order, followed by
    the new words, so that the token ids of the old words stay the same.
    """
    old = caption_words()
    new = {MOVES, *get_args(Direction), *get_args(Speed)} - set(old)
    return (*old, *sorted(new))
