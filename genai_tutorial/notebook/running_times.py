"""How long each notebook runs: one committed file beside the notebooks, and the table
under each chapter's title, which repeats it.

`genai-tutorial execute` keeps both. A time changes only when the notebook has become
clearly slower or faster, so that running it again changes no file.
"""

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from genai_tutorial.runtime import write_atomically

FILE_NAME = "running_times.json"
STEP = 5
"""Seconds to which times are rounded, and by which they must differ at least."""

SAME = 0.15
"""A new time replaces a recorded one that it differs from by a larger share."""

# The cell of the table in a chapter's title that says how long it runs.
_TIME = re.compile(r"(?<=\| )\d+ s(?=(?: on 2 CPU cores)? \|)")


@dataclass(frozen=True)
class RunningTime:
    """How long a notebook ran from top to bottom, and with how many threads."""

    seconds: int
    threads: int


def recorded_times(folder: Path) -> dict[str, RunningTime]:
    """Return the recorded times of the notebooks in a folder, by their names without
    ending; none where nothing was recorded yet.

    Raises:
        ValueError: If the file does not hold such times.
    """
    path = folder / FILE_NAME
    if not path.is_file():
        return {}
    try:
        entries = json.loads(path.read_text("utf8"))
        return {name: RunningTime(**entry) for name, entry in entries.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} must hold seconds and threads for each notebook ({error}); "
            "delete it, and run genai-tutorial execute."
        ) from error


def record_time(notebook: Path, seconds: float | int, threads: int) -> RunningTime:
    """Record how long a notebook ran, and return what the file says now: the new time,
    or the old one if it was much the same.
    """
    times = recorded_times(notebook.parent)
    known = times.get(notebook.stem)
    if known and abs(seconds - known.seconds) <= max(STEP, SAME * known.seconds):
        return known
    new = RunningTime(max(STEP, STEP * round(seconds / STEP)), threads)
    entries = {
        name: asdict(time)
        for name, time in sorted({**times, notebook.stem: new}.items())
    }
    text = json.dumps(entries, indent=1) + "\n"
    with write_atomically(notebook.parent / FILE_NAME, "w") as file:
        file.write(text)
    return new


def with_time(opening: str, time: RunningTime) -> str:
    """Return a chapter's first cell with this running time in its table.

    >>> with_time("| reading | running |\\n| 45 minutes | 40 s |", RunningTime(75, 1))
    '| reading | running |\\n| 45 minutes | 75 s |'
    """
    return _TIME.sub(f"{time.seconds} s", opening)


def stated_times(opening: str) -> list[int]:
    """Return the running times, in seconds, that a chapter's first cell states."""
    return [int(found.removesuffix(" s")) for found in _TIME.findall(opening)]


def longest_first(notebooks: list[Path]) -> list[Path]:
    """Order notebooks so that the longest begin first and none is left to run alone at
    the end; those without a recorded time come before all others.
    """

    def negative_seconds(notebook: Path) -> float:
        time = recorded_times(notebook.parent).get(notebook.stem)
        return float(-time.seconds) if time else float("-inf")

    return sorted(notebooks, key=negative_seconds)
