"""The chapters of the book: their metadata and their files."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .running_times import recorded_times


@dataclass(frozen=True)
class Chapter:
    """A chapter, as described by the title and the metadata of its notebook.

    Attributes:
        title: Heading without the number.
        extras: Extras of the package that the chapter needs, as in `pip install
            "genai_tutorial[text]"`.
        rooms: Rooms of the package that the chapter uses.
        reading_minutes: Reading time for a student who knows the chapters that it
            builds on.
        running_seconds: Recorded running time; None if the chapter has never been
            executed.
        builds_on: Numbers of the chapters to read first.
    """

    number: int
    title: str
    path: Path
    extras: tuple[str, ...]
    rooms: tuple[str, ...]
    reading_minutes: int
    running_seconds: int | None
    builds_on: tuple[int, ...]


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
        (read_chapter(path) for path in folder.glob("[0-9]*.ipynb")),
        key=lambda chapter: chapter.number,
    )


def unnumbered_pages(repository: Path | None = None) -> list[Path]:
    """Return the notebooks that are pages of the book but not chapters: they have the
    metadata of a chapter, but no number and no exercises.
    """
    folder = (repository or find_repository()) / "notebooks"
    unnumbered = set(folder.glob("*.ipynb")) - set(folder.glob("[0-9]*.ipynb"))
    return sorted(path for path in unnumbered if _has_chapter_metadata(path))


def _has_chapter_metadata(path: Path) -> bool:
    try:
        return "genai_tutorial" in json.loads(path.read_text("utf8"))["metadata"]
    except (ValueError, KeyError, TypeError):
        return False  # somebody's file, not a page of the book


def chapters_table(found: Sequence[Chapter], notebooks: str = "notebooks") -> str:
    """Return the chapters as a Markdown table, with links from the repository root."""
    rows = [
        "| chapter | package rooms | to read | to run |",
        "| --- | --- | --- | --- |",
    ]
    for chapter in found:
        link = f"[{chapter.number}. {chapter.title}]({notebooks}/{chapter.path.name})"
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
