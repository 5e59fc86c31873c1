"""The motion verifier: read colour, shape, size and position from every frame, without
a network, and compare the path with the caption.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from statistics import fmean

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.tasks import check_same_length
from genai_tutorial.tasks.shapes import SceneObject, read_scenes

from .clips import SPEEDS, STEPS, Motion, parse_motion_caption

SLOWEST = 0.5
"""At or below this speed, in pixels per frame, an object counts as standing still."""

FASTEST = 3.0
"""At or above this speed, in pixels per frame, an object counts as jumping."""


@dataclass(frozen=True)
class Track:
    """The verifier's reading of a film.

    Attributes:
        things: The largest object of each frame; None for an empty frame.
        velocity: Pixels per frame to the right and down: the slope of the straight line
            fitted to the centres. None if a frame is empty.
        jitter: The mean distance in pixels between the centres and that line. None if a
            frame is empty.
    """

    things: tuple[SceneObject | None, ...]
    velocity: tuple[float, float] | None
    jitter: float | None

    @property
    def complete(self) -> bool:
        """True if there is an object in every frame."""
        return all(thing is not None for thing in self.things)

    @property
    def constant(self) -> bool:
        """True if the object has the same colour and shape in all frames."""
        kinds = {thing and (thing.colour, thing.shape) for thing in self.things}
        return self.complete and len(kinds) == 1


def track(films: Float[Tensor, "n frame 3 height width"]) -> tuple[Track, ...]:
    """Follow the object in each film.

    Args:
        films: Frames of 32×32 pixels, red, green and blue from 0 to 1.

    Raises:
        ValueError: If the frames have another size, or there are fewer than two.
    """
    if films.shape[1] < 2:
        raise ValueError(f"A motion needs at least two frames, got {films.shape[1]}.")
    readings = read_scenes(films.flatten(0, 1))
    things = tuple(next(iter(reading.scene.objects), None) for reading in readings)
    frames = films.shape[1]
    return tuple(
        _follow(things[first : first + frames])
        for first in range(0, len(things), frames)
    )


def _follow(things: tuple[SceneObject | None, ...]) -> Track:
    if any(thing is None for thing in things):
        return Track(things, None, None)
    centres = torch.tensor([thing.centre for thing in things], dtype=torch.float64)
    velocity, jitter = fit_line(centres)
    right, down = (round(value, 4) + 0.0 for value in velocity.tolist())
    return Track(things, (right, down), round(jitter, 4))


def fit_line(centres: Float[Tensor, "frame 2"]) -> tuple[Float[Tensor, "2"], float]:
    """Fit straight motion at constant speed by least squares.

    Returns:
        The velocity per frame, and the mean distance from the fitted positions.

    >>> fit_line(torch.tensor([[0.0, 0.0], [2.0, 1.0], [4.0, 2.0]]))
    (tensor([2., 1.]), 0.0)
    """
    time = torch.arange(len(centres), dtype=centres.dtype, device=centres.device)
    time = time - time.mean()
    velocity = (time[:, None] * centres).sum(dim=0) / time.square().sum()
    line = centres.mean(dim=0) + time[:, None] * velocity
    return velocity, float((centres - line).norm(dim=1).mean())


@dataclass(frozen=True)
class MotionScore:
    """The verifier's verdict on one video.

    Attributes:
        complete: There is an object in every frame.
        constant: Colour and shape are the same in all frames.
        identity: Colour, shape and size match the caption in every frame; attributes
            that the caption omits may be anything.
        direction: The object moves in the requested direction, by more than 0.5 and
            less than 3 pixels per frame, and farther along it than across it.
        speed: The direction is correct, and the speed is closer to the requested one
            than to the other.
        everything: Identity and speed are correct, and the jitter at most
            `MOST_JITTER`.
        jitter: The mean distance in pixels from a straight line; None if a frame is
            empty.
    """

    complete: bool
    constant: bool
    identity: bool
    direction: bool
    speed: bool
    everything: bool
    jitter: float | None


MOST_JITTER = 1.0
"""The largest mean distance from a straight line, in pixels, in a film that counts as
right in everything.
"""


def motion_scores(
    captions: Sequence[str], films: Float[Tensor, "n frame 3 height width"]
) -> tuple[MotionScore, ...]:
    """Compare each film with its caption.

    Raises:
        ValueError: If there is not one caption per film, or a caption does not follow the
            grammar.

    >>> from genai_tutorial.tasks.motion import load_clips
    >>> clips = load_clips(1, seed=0)
    >>> motion_scores(["an orange circle moves up fast"], clips.films)
    (MotionScore(complete=True, constant=True, identity=True, direction=False, speed=False, everything=False, jitter=0.0),)
    """  # noqa: E501
    check_same_length(captions=captions, films=films)
    return tuple(
        _score(caption, read)
        for caption, read in zip(captions, track(films), strict=True)
    )


def _score(caption: str, read: Track) -> MotionScore:
    asked, motion = parse_motion_caption(caption)
    identity = read.complete and all(
        getattr(asked, name) in (None, getattr(thing, name))
        for thing in read.things
        for name in ("colour", "shape", "size")
    )
    direction = read.complete and moves_as_asked(read.velocity, motion)
    speed = direction and nearest_speed(read.velocity) == motion.speed
    smooth = read.complete and read.jitter <= MOST_JITTER
    return MotionScore(
        read.complete,
        read.constant,
        identity,
        direction,
        speed,
        identity and speed and smooth,
        read.jitter,
    )


def moves_as_asked(velocity: tuple[float, float], motion: Motion) -> bool:
    """Return whether a velocity matches the direction of a motion."""
    right, down = STEPS[motion.direction]
    along = velocity[0] * right + velocity[1] * down
    across = abs(velocity[0] * down) + abs(velocity[1] * right)
    return SLOWEST < along < FASTEST and across < along


def nearest_speed(velocity: tuple[float, float]) -> str:
    """Return the name of the speed that is closest in pixels per frame."""
    pixels = max(abs(value) for value in velocity)
    return min(SPEEDS, key=lambda speed: abs(SPEEDS[speed] - pixels))


@dataclass(frozen=True)
class MotionAccuracy:
    """The shares of films with each property of `MotionScore`.

    Attributes:
        jitter: The mean jitter in pixels over complete films; NaN if there are none.
    """

    complete: float
    constant: float
    identity: float
    direction: float
    speed: float
    everything: float
    jitter: float


def motion_accuracy(
    captions: Sequence[str], films: Float[Tensor, "n frame 3 height width"]
) -> MotionAccuracy:
    """Return the shares of films that show what their captions say.

    Raises:
        ValueError: If `motion_scores` would raise it.
    """
    return average_scores(motion_scores(captions, films))


def average_scores(scores: Sequence[MotionScore]) -> MotionAccuracy:
    """Return the share of films with each property, from their scores."""
    *names, _ = (field.name for field in fields(MotionScore))  # jitter is no share
    shares = [fmean(getattr(score, name) for score in scores) for name in names]
    jitters = [score.jitter for score in scores if score.jitter is not None]
    return MotionAccuracy(*shares, fmean(jitters) if jitters else float("nan"))
