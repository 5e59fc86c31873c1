"""Read a folder of texts and split them into passages that know where they are from."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from genai_tutorial.retrieval import Chunk, chunk_sentences, chunk_text

SUFFIXES = (".txt", ".md")
LARGEST_FILE, LARGEST_FOLDER = 1_000_000, 2_000_000  # bytes
JOINED_WORDS, LONGEST_PASSAGE = 12, 60
"""The number of words up to which short sentences are joined, and above which a long
one is split. Short passages fit a question better than long ones about several things.
"""


@dataclass(frozen=True)
class Place:
    """A passage of a file.

    Attributes:
        text: The passage on one line.
        file: The path of the file inside the folder.
        start: The index of its first character in the file.
        end: The index after its last character.
        first_line: The line on which it begins, from 1.
        last_line: The line on which it ends.
    """

    text: str
    file: str
    start: int
    end: int
    first_line: int
    last_line: int

    def __str__(self) -> str:
        lines = (
            f"line {self.first_line}"
            if self.first_line == self.last_line
            else f"lines {self.first_line} to {self.last_line}"
        )
        return f"{self.file}, {lines} (characters {self.start} to {self.end})"


def read_folder(folder: Path) -> tuple[list[Place], list[str]]:
    """Return the passages of all texts in a folder and its subfolders, and a sentence
    for each file that was left out.

    Hidden files and folders are not read, and links to folders not followed.

    Raises:
        NotADirectoryError: If there is no such folder.
        ValueError: If it has no text that can be read.
    """
    if not folder.is_dir():
        raise NotADirectoryError(
            f"{folder} is not a folder: --documents takes a folder of .txt or .md "
            "files."
        )
    places, left_out, total = [], [], 0
    for path in _texts(folder):
        name = path.relative_to(folder).as_posix()
        try:
            text = _read(path, room=LARGEST_FOLDER - total)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            left_out.append(f"{name} is left out: {reason}.")
            continue
        total += len(text.encode())
        places += split_text(text, name)
    if not places:
        raise ValueError(
            " ".join([f"{folder} has no .txt or .md file with text in it.", *left_out])
        )
    return places, left_out


def split_text(text: str, file: str) -> list[Place]:
    """Return the passages of a text: its sentences, of which short ones are joined and
    very long ones split.

    >>> [str(place) for place in split_text("Lima is in Peru.\\n\\nIt rains.", "a.md")]
    ['a.md, lines 1 to 3 (characters 0 to 27)']
    """
    places = []
    for chunk in chunk_sentences(text, JOINED_WORDS):
        for part in _parts(chunk):
            before = text.count("\n", 0, part.start)
            within = part.text.count("\n")
            places.append(
                Place(
                    " ".join(part.text.split()),
                    file,
                    part.start,
                    part.end,
                    before + 1,
                    before + within + 1,
                )
            )
    return places


def _parts(chunk: Chunk) -> list[Chunk]:
    return [
        Chunk(part.text, chunk.start + part.start, chunk.start + part.end)
        for part in chunk_text(chunk.text, LONGEST_PASSAGE)
    ]


def _texts(folder: Path) -> Iterator[Path]:
    """Yield the paths of all texts, sorted."""
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and name.lower().endswith(SUFFIXES):
                yield Path(parent, name)


def _read(path: Path, room: int) -> str:
    """Return the text of a file.

    Raises:
        ValueError: If it is no ordinary file, too large, not UTF-8, or has no words.
        OSError: If it cannot be read.
    """
    if not path.is_file():
        raise ValueError("it is not an ordinary file")
    with path.open("rb") as file:
        content = file.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise ValueError(f"it has more than {LARGEST_FILE // 1_000_000} MB")
    if len(content) > room:
        raise ValueError(
            f"the files before it have nearly {LARGEST_FOLDER // 1_000_000} MB together"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"it is not UTF-8 text (byte {error.start} is not valid)"
        ) from error
    if "\0" in text:
        raise ValueError("it has null characters, so it is not text")
    if not text.strip():
        raise ValueError("it is empty")
    return text
