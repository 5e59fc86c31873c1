"""Films side by side in one animated GIF or WebP."""

from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from genai_tutorial.cli.pictures import grid
from genai_tutorial.runtime import write_atomically

FILM_FORMATS = {".gif": "GIF", ".webp": "WEBP"}
"""The format of each file name extension."""

FRAME_MILLISECONDS = 160
"""The display time of a frame; the films are repeated endlessly."""


def write_film(films: Float[Tensor, "count frame 3 height width"], path: Path) -> None:
    """Write films to one animated file atomically, arranged in a grid.

    Args:
        films: Red, green and blue from 0 to 1.
        path: A path that ends in `.gif` or `.webp`.

    Raises:
        ValueError: If the path has another extension.
    """
    kind = FILM_FORMATS.get(path.suffix.lower())
    if kind is None:
        raise ValueError(
            f"A film must end in {' or '.join(FILM_FORMATS)}, got {path.name}."
        )
    first, *others = (grid(frame) for frame in films.unbind(dim=1))
    settings = {"lossless": True} if kind == "WEBP" else {"optimize": True}
    with write_atomically(path) as file:
        first.save(
            file,
            kind,
            save_all=True,
            append_images=others,
            duration=FRAME_MILLISECONDS,
            loop=0,
            **settings,
        )
