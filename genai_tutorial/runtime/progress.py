"""A progress bar that can be switched off by an environment variable."""

import os
from collections.abc import Iterable

from tqdm.auto import tqdm

QUIET = "GENAI_TUTORIAL_QUIET"
"""If this environment variable is set to anything but 0, no progress bar is shown."""


def progress_bar(
    iterable: Iterable | None = None,
    *,
    total: int | None = None,
    initial: int = 0,
    label: str | None = None,
    show: bool = True,
) -> tqdm:
    """Wrap an iterable in tqdm's progress bar, which is hidden while the book is built.

    Args:
        iterable: The iterable; None to call `update()` yourself.
        total: Number of iterations, if the iterable has no length.
        initial: Number of iterations already done.
        label: Text before the bar.

    >>> sum(progress_bar(range(4), show=False))
    6
    """
    quiet = not show or os.environ.get(QUIET, "0") not in ("", "0")
    return tqdm(
        iterable,
        total=total,
        initial=initial,
        desc=label,
        disable=quiet,
        dynamic_ncols=True,
    )
