"""The voices of the speech synthesizer eSpeak NG: accent, speaker, speed and pitch."""

from dataclasses import dataclass

from genai_tutorial.runtime import package_folder

ACCENTS = (
    "en-us",
    "en-us-nyc",
    "en",
    "en-gb-x-rp",
    "en-gb-x-gbcwmd",
    "en-gb-scotland",
    "en-029",
)
"""Accents of English: American, New York, British, Received Pronunciation, West
Midlands, Scottish and Caribbean.
"""

SPEEDS, PITCHES = range(80, 451), range(100)
"""The allowed speeds, in words per minute, and pitches, on the synthesizer's scale."""


@dataclass(frozen=True)
class Voice:
    """A voice of the synthesizer.

    Attributes:
        accent: One of `ACCENTS`.
        variant: The speaker, one of `speakers()`; None for the synthesizer's
            default.
        speed: Words per minute, from 80 to 450.
        pitch: From 0 (low) to 99 (high).

    Raises:
        ValueError: If a number is out of range, or there is no such accent.

    >>> Voice("en-us", "f2")
    Voice(accent='en-us', variant='f2', speed=160, pitch=50)
    """

    accent: str = "en-us"
    variant: str | None = None
    speed: int = 160
    pitch: int = 50

    def __post_init__(self):
        if self.accent not in ACCENTS:
            raise ValueError(
                f"accent must be one of {', '.join(ACCENTS)}, got {self.accent!r}."
            )
        for name, numbers in (("speed", SPEEDS), ("pitch", PITCHES)):
            if getattr(self, name) not in numbers:
                raise ValueError(
                    f"{name} must be an integer from {numbers[0]} to {numbers[-1]}, "
                    f"got {getattr(self, name)!r}."
                )

    @property
    def espeak_name(self) -> str:
        """The synthesizer's name for this accent and speaker."""
        return self.accent if self.variant is None else f"{self.accent}+{self.variant}"


def speakers() -> tuple[str, ...]:
    """Return the names of all speakers (espeak's voice variants), sorted."""
    folder = package_folder("espeakng_loader", extra="audio")
    variants = folder / "espeak-ng-data" / "voices" / "!v"
    return tuple(sorted(path.name for path in variants.iterdir()))
