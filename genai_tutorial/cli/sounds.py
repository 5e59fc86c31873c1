"""Sound clips one after another in one file."""

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.runtime import write_sound

PAUSE_SECONDS = 0.5
"""The silence between two clips."""


def write_clips(clips: Float[Tensor, "count sample"], rate: int, path: Path) -> None:
    """Write clips to one file atomically, with pauses between them.

    Args:
        clips: Samples from -1 to 1.
        rate: Samples per second.
        path: A path that ends in `.mp3` or `.wav`.

    Raises:
        ValueError: If the path has another extension.
        ImportError: If the file is an MP3 and soundfile is not installed.
    """
    pause = torch.zeros(len(clips), round(PAUSE_SECONDS * rate))
    together = torch.cat([clips, pause], dim=1).flatten()
    write_sound(together[: len(together) - pause.shape[1]], rate, path)
