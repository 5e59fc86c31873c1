"""The plan of the book, from `book/outline.yml`, and which chapters are ready."""

import json
from dataclasses import dataclass
from pathlib import Path

import yaml

NUMERALS = ("I", "II", "III", "IV", "V", "VI")


@dataclass(frozen=True)
class Chapter:
    """One chapter; `document` names its page, and is None while it is being written."""

    number: int
    title: str
    document: str | None
    reading_minutes: int | None
    running_seconds: int | None


@dataclass(frozen=True)
class Part:
    """One of the six parts."""

    number: int
    title: str
    chapters: tuple[Chapter, ...]

    @property
    def numeral(self) -> str:
        """Part and Roman numeral."""
        return f"Part {NUMERALS[self.number - 1]}"


def read_outline(root: Path) -> list[Part]:
    """Return the parts of the book whose repository lies in `root`."""
    parts, number = [], 0
    for index, part in enumerate(yaml.safe_load((root / "book" / "outline.yml").read_text("utf8")), start=1):
        chapters = []
        for title in part["chapters"]:
            number += 1
            chapters.append(_chapter(root, number, title))
        parts.append(Part(index, part["title"], tuple(chapters)))
    return parts


def _chapter(root: Path, number: int, title: str) -> Chapter:
    path = next(iter(sorted((root / "notebooks").glob(f"{number:02}_*.ipynb"))), None)
    if path is None:
        return Chapter(number, title, None, None, None)
    facts = json.loads(path.read_text("utf8"))["metadata"].get("genai_tutorial", {})
    return Chapter(number, title, f"notebooks/{path.stem}", facts.get("reading_minutes"), facts.get("running_seconds"))
