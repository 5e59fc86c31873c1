"""Chapters as the book's tools see them: running times, which are kept in a file and
shown under each title, and the table of all claims.

`genai-tutorial execute` updates both. A time changes only if the notebook has become
clearly slower or faster, so that running it again changes no file.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from genai_tutorial.runtime import write_atomically

from .claims import claim_anchor

FILE_NAME = "running_times.json"
NUMBERED = "[0-9][0-9]_*.ipynb"
"""The notebooks that are chapters; 08a_more.ipynb continues chapter 8."""

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


@dataclass(frozen=True)
class Chapter:
    """A chapter, as described by the title and the metadata of its notebook.

    Attributes:
        title: Heading without the number.
        extras: Extras of the package that the chapter needs, as in `pip install
            "genai_tutorial[text]"`.
        rooms: Rooms of the package that the chapter uses.
        reading_minutes: Reading time by the rule of `reading_minutes`, without the
            exercises.
        running_seconds: Recorded running time; None if the chapter has never been
            executed.
        builds_on: Numbers of the chapters to read first.
        needs: Number and heading of each section of another chapter that is enough.
    """

    number: int
    title: str
    path: Path
    extras: tuple[str, ...]
    rooms: tuple[str, ...]
    reading_minutes: int
    running_seconds: int | None
    builds_on: tuple[int, ...]
    needs: tuple[tuple[int, str], ...] = ()


def find_repository(start: Path | None = None) -> Path:
    """Return the repository: the folder with `notebooks/` and `genai_tutorial/` in it.

    Args:
        start: Folder to search first, followed by its parents; by default the current
            folder. The folder that the package was installed from is tried last.

    Raises:
        FileNotFoundError: If no repository is found.
    """
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents, Path(__file__).resolve().parents[2]):
        if (folder / "notebooks").is_dir() and (
            folder / "genai_tutorial" / "__init__.py"
        ).is_file():
            return folder
    raise FileNotFoundError(
        f"There is no copy of the book in {start} or above it. The notebooks do not "
        "come with the installed package: "
        "clone the repository and run this inside it."
    )


def read_chapter(path: Path) -> Chapter:
    """Read a chapter's metadata from its notebook."""
    try:
        notebook = json.loads(path.read_text("utf8"))
        facts = notebook["metadata"].get("genai_tutorial")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path.name} cannot be read as a notebook ({type(error).__name__})."
        ) from error
    if facts is None:
        raise ValueError(
            f"{path.name} is not a chapter: its metadata has no 'genai_tutorial'."
        )
    heading = re.search(
        r"^# (\d+)\. (.+)$", "".join(notebook["cells"][0]["source"]), re.MULTILINE
    )
    if heading is None:
        raise ValueError(
            f"{path.name} must begin with a heading such as '# "
            f"{facts.get('chapter', 4)}. Title'."
        )
    time = recorded_times(path.parent).get(path.stem)
    try:
        chapter = Chapter(
            number=facts["chapter"],
            title=heading[2].strip(),
            path=path,
            extras=tuple(facts["extras"]),
            rooms=tuple(facts["rooms"]),
            reading_minutes=facts["reading_minutes"],
            running_seconds=time.seconds if time else None,
            builds_on=tuple(facts["builds_on"]),
            needs=tuple(
                (number, heading) for number, heading in facts.get("needs", ())
            ),
        )
    except KeyError as missing:
        raise ValueError(
            f"The metadata of {path.name} lacks {missing} under 'genai_tutorial'."
        ) from missing
    if chapter.number != int(heading[1]):
        raise ValueError(
            f"{path.name} is chapter {chapter.number} by its metadata and {heading[1]} "
            "by its heading."
        )
    return chapter


def chapters(repository: Path | None = None) -> list[Chapter]:
    """Return the chapters that exist, in the order of the book."""
    folder = (repository or find_repository()) / "notebooks"
    return sorted(
        (read_chapter(path) for path in folder.glob(NUMBERED)),
        key=lambda chapter: chapter.number,
    )


def continuations(chapter: Chapter) -> list[Path]:
    """Return the unnumbered pages that continue a chapter, such as 08a_more.ipynb."""
    return sorted(chapter.path.parent.glob(f"{chapter.number:02d}[a-z]_*.ipynb"))


def unnumbered_pages(repository: Path | None = None) -> list[Path]:
    """Return the notebooks that are pages of the book but not chapters: they have the
    metadata of a chapter, but no number and no exercises.
    """
    folder = (repository or find_repository()) / "notebooks"
    unnumbered = set(folder.glob("*.ipynb")) - set(folder.glob(NUMBERED))
    return sorted(path for path in unnumbered if _has_chapter_metadata(path))


def _has_chapter_metadata(path: Path) -> bool:
    try:
        return "genai_tutorial" in json.loads(path.read_text("utf8"))["metadata"]
    except (ValueError, KeyError, TypeError):
        return False  # somebody's file, not a page of the book


def chapters_table(found: Sequence[Chapter]) -> str:
    """Return the chapters as a Markdown table, with links from the repository root."""
    rows = [
        "| chapter | package rooms | to read | to run |",
        "| --- | --- | --- | --- |",
    ]
    for chapter in found:
        link = f"[{chapter.number}. {chapter.title}](notebooks/{chapter.path.name})"
        rooms = ", ".join(f"`{room}`" for room in chapter.rooms)
        rows.append(
            f"| {link} | {rooms} | {chapter.reading_minutes} min | "
            f"{spoken_seconds(chapter.running_seconds)} |"
        )
    return "\n".join(rows)


def spoken_seconds(seconds: int | None) -> str:
    """Format a running time for a table.

    >>> spoken_seconds(45), spoken_seconds(None)
    ('45 s', 'not run yet')
    """
    return "not run yet" if seconds is None else f"{seconds} s"


@dataclass(frozen=True)
class Row:
    """One claim.

    Attributes:
        chapter: Chapter that makes the claim.
        page: Notebook of the claim: the chapter's or the one that continues it.
        statement: Statement, without a full stop.
        measured: Measured numbers as text.
        interval: Intervals of measured shares as text; may be empty.
        baseline: Baseline as text; empty if there is none.
        versus: What the measured numbers are compared with, as text; may be empty.
        origin: "live", "recorded" or "exact"; empty if not stated.
        seeds: Number of random seeds behind the number, if stated.
        items: Number of test items behind the number, if stated.
        anchor: HTML anchor on the chapter's page, as in `04_name.html#anchor`.
    """

    chapter: Chapter
    page: Path
    statement: str
    measured: str
    interval: str
    baseline: str
    versus: str
    origin: str
    seeds: int | None
    items: int | None
    anchor: str


def scoreboard(found: Iterable[Chapter]) -> list[Row]:
    """Collect the claims of chapters, and of the pages that continue them, in reading
    order.
    """
    return [
        Row(
            chapter,
            page,
            claim["statement"],
            claim["measured"],
            claim.get("interval", ""),
            claim.get("baseline", ""),
            claim.get("versus", ""),
            claim_origin(claim),
            claim.get("seeds"),
            claim.get("items"),
            claim_anchor(claim["statement"]),
        )
        for chapter in found
        for page in (chapter.path, *continuations(chapter))
        for claim in recorded_claims(json.loads(page.read_text("utf8")))
    ]


def claim_origin(claim: Mapping) -> str:
    """Return the origin of a claim's number, as far as the claim states it."""
    if "recorded" in claim:
        return "recorded"
    if "exact" in claim:
        return "exact"
    return "live" if claim.keys() & {"baseline", "versus"} else ""


def recorded_claims(notebook: Mapping) -> list[dict]:
    """Return the claims stored in the outputs of an executed notebook, each with
    "statement", "measured", "holds" and the optional arguments of `claim`.
    """
    outputs = (
        output for cell in notebook["cells"] for output in cell.get("outputs", ())
    )
    facts = (output.get("metadata", {}).get("genai_tutorial", {}) for output in outputs)
    return [fact["claim"] for fact in facts if "claim" in fact]
