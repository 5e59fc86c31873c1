"""Running times of the notebooks: a committed file next to them, and the table under
each chapter's title, which repeats them.

`genai-tutorial execute` updates both. A time changes only if the notebook has become
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
"""A new time replaces a recorded one only if it differs by a larger share than this."""

# The table cell with the running time under a chapter's title.
_TIME = re.compile(r"(?<=\| )\d+ s(?=(?: on 2 CPU cores)? \|)")


@dataclass(frozen=True)
class RunningTime:
    """The running time of a notebook, and the number of threads that it used."""

    seconds: int
    threads: int


def recorded_times(folder: Path) -> dict[str, RunningTime]:
    """Return the recorded times of the notebooks in a folder, by file stem."""
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
    """Record the running time of a notebook, and return the recorded time: the old one
    if the new one is about the same.
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
    """Return the text of a chapter's first cell with this running time in its table."""
    return _TIME.sub(f"{time.seconds} s", opening)


def stated_times(opening: str) -> list[int]:
    """Return the running times, in seconds, that a chapter's first cell states."""
    return [int(found.removesuffix(" s")) for found in _TIME.findall(opening)]


def longest_first(notebooks: list[Path]) -> list[Path]:
    """Sort notebooks by recorded running time, longest first."""

    def negative_seconds(notebook: Path) -> float:
        time = recorded_times(notebook.parent).get(notebook.stem)
        return float(-time.seconds) if time else float("-inf")

    return sorted(notebooks, key=negative_seconds)
