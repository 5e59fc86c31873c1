"""The outline of the book from `book/outline.yml`, with the chapters that are ready."""

from dataclasses import dataclass
from pathlib import Path

import yaml

NUMERALS = ("I", "II", "III", "IV", "V", "VI")


@dataclass(frozen=True)
class Chapter:
    """One chapter; `document` is the name of its page, or None if it does not exist
    yet.
    """

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
        """The word "Part" and a Roman numeral."""
        return f"Part {NUMERALS[self.number - 1]}"


def read_outline(root: Path) -> list[Part]:
    """Return the parts of the book in the repository `root`."""
    from genai_tutorial.notebook import chapters

    ready = {chapter.number: chapter for chapter in chapters(root)}
    parts, number = [], 0
    for index, part in enumerate(
        yaml.safe_load((root / "book" / "outline.yml").read_text("utf8")), start=1
    ):
        planned = []
        for title in part["chapters"]:
            number += 1
            found = ready.get(number)
            if found is None:
                planned.append(Chapter(number, title, None, None, None))
            elif found.title != title:
                raise ValueError(
                    f"chapter {number} is {title!r} in outline.yml and {found.title!r} "
                    "in its notebook"
                )
            else:
                document = f"notebooks/{found.path.stem}"
                planned.append(
                    Chapter(
                        number,
                        title,
                        document,
                        found.reading_minutes,
                        found.running_seconds,
                    )
                )
        parts.append(Part(index, part["title"], tuple(planned)))
    return parts
