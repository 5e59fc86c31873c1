"""A progress bar that knows when to be quiet."""

import os
from collections.abc import Iterable

from tqdm.auto import tqdm

QUIET = "GENAI_TUTORIAL_QUIET"
"""Set this environment variable to anything but 0 and no progress bar is shown."""


def progress_bar(
    iterable: Iterable | None = None,
    *,
    total: int | None = None,
    initial: int = 0,
    label: str | None = None,
    show: bool = True,
) -> tqdm:
    """Wrap an iterable in tqdm's progress bar, which stays silent when the book's
    pages are made.

    Args:
        iterable: What to go through; None to call `update()` by hand.
        total: How many rounds there are, if the iterable does not know.
        initial: How many of them are done already.
        label: What stands before the bar.
        show: Whether to show it at all.

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
