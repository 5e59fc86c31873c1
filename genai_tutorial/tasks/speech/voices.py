"""The voices of the speech task: 65 speakers in seven accents, some for tests only."""

from collections.abc import Sequence

import torch

from genai_tutorial.data import ACCENTS, Voice

_NAMES = """
Alex Alicia Andrea Andy Annie Denis Diogo Gene Henrique Hugo Jacky Lee Marco
Mario Michael Mike Nguyen Reed RicishayMax Storm adam anika antonio aunty
belinda benjamin boris david ed edward f1 f2 f3 f4 f5 gustave ian iven john
linda m1 m2 m3 m4 m5 m6 m7 m8 marcelo max michel miguel norbert pablo paul
pedro quincy rob robert sandro shelby steph travis victor zac
"""

SPEAKERS = tuple(_NAMES.split())
"""The synthesizer's speakers, except for robots, whisperers and monsters."""

HELD_OUT_SPEAKERS = SPEAKERS[::4]
"""The 17 speakers that no model hears in training."""

SPEEDS, PITCHES = (130, 190), (30, 70)
"""The lowest and highest speed (words per minute) and pitch that are drawn."""


def draw_voices(n: int, seed: int, held_out: bool = False) -> list[Voice]:
    """Draw voices with a random accent, speaker, speed and pitch.

    Args:
        held_out: Whether to draw test speakers rather than training speakers.

    Raises:
        ValueError: If `n` is below 1.

    >>> draw_voices(1, seed=0)
    [Voice(accent='en-gb-x-gbcwmd', variant='anika', speed=161, pitch=39)]
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}.")
    generator = torch.Generator().manual_seed(seed)
    speakers = (
        HELD_OUT_SPEAKERS
        if held_out
        else tuple(name for name in SPEAKERS if name not in HELD_OUT_SPEAKERS)
    )
    return [
        Voice(
            _choose(ACCENTS, generator),
            _choose(speakers, generator),
            _between(*SPEEDS, generator),
            _between(*PITCHES, generator),
        )
        for _ in range(n)
    ]


def _choose(items: Sequence[str], generator: torch.Generator) -> str:
    return items[_between(0, len(items) - 1, generator)]


def _between(lowest: int, highest: int, generator: torch.Generator) -> int:
    return int(torch.randint(lowest, highest + 1, (), generator=generator))
