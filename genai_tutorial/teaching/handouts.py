"""Hand-outs: the release of a chapter for a class, or one for each student, with other
versions of its exercises.

Which version a student has follows from what the teacher keeps, a seed or a key, and
the student's name, and never from what is handed in.
"""

import csv
import hmac
import io
import secrets
from collections.abc import Sequence
from pathlib import Path

from genai_tutorial.runtime import require

from .exercises import (
    CourseChapter,
    TeachingError,
    check_absent,
    read_chapter,
    read_table,
    release,
    write_text,
)
from .slides import lecture_file
from .submission import legal_name
from .versions import read_versions, with_versions


def assign(
    chapter: str | int | Path,
    folder: str | Path,
    *,
    seed: int | None = None,
    roster: str | Path | None = None,
    overwrite: bool = False,
) -> Path:
    """Write the release of a chapter for students to a folder, and return its path.

    Args:
        chapter: The chapter's number, or the path of its notebook.
        folder: Folder to write to; created if necessary.
        seed: Chooses other versions of the exercises that have some; grade with the
            same.
        roster: A CSV file whose column `student` has the students' names. Each student
            gets a folder with versions of their own, which a key decides that is
            written beside the roster, once. The folder that holds them is returned.
        overwrite: If true, replace existing files.

    Raises:
        TeachingError: If the chapter is not found or has no exercises, the roster
            cannot be read, or the file exists already.
    """
    nbformat = require("nbformat", "teach")
    students = [""] if roster is None else _read_roster(Path(roster))
    if roster is not None and not (key := Path(roster).with_suffix(".key")).exists():
        write_text(key, f"{secrets.token_hex(16)}\n")
    for found, group in chapters_of(chapter, students, seed, roster):
        text = nbformat.writes(release(found.notebook)) + "\n"
        for student in group:
            target = Path(folder) / student / found.path.name
            if target.exists() and target.resolve() == found.path:
                raise TeachingError(
                    f"{folder} is where the chapter itself lies; choose another folder "
                    "for the release."
                )
            check_absent(target, overwrite)
            write_text(target, text)
    return target if roster is None else Path(folder)


def chapters_of(
    chapter: str | int | Path,
    students: Sequence[str],
    seed: int | None,
    roster: str | Path | None,
) -> list[tuple[CourseChapter, list[str]]]:
    """Return the chapter with each combination of versions that these students have,
    and who has it; without a seed or a roster, all have the chapter as it is.
    """
    found = read_chapter(chapter)
    if seed is None and roster is None:
        return [(found, list(students))]
    if seed is not None and roster is not None:
        raise TeachingError("Give a seed or a roster, not both.")
    key, names = str(seed).encode(), dict.fromkeys(students, "")
    if roster is not None:
        listed, names = _read_roster(Path(roster)), {name: name for name in students}
        key = _read_key(Path(roster))
        if unknown := sorted(names.keys() - set(listed)):
            raise TeachingError(
                f"{roster} has no student {', '.join(unknown)}. Give each file a name "
                "of the table, or add the student to it."
            )
    versions = read_versions(lecture_file(found.path, "versions", ".yml"))
    groups: dict[tuple[int, ...], list[str]] = {}
    for student, name in names.items():
        choice = tuple(
            _pick(key, name, number, len(own)) for number, own in versions.items()
        )
        groups.setdefault(choice, []).append(student)
    return [
        (
            with_versions(
                found,
                {
                    number: own[index]
                    for index, (number, own) in zip(
                        choice, versions.items(), strict=True
                    )
                },
            ),
            group,
        )
        for choice, group in groups.items()
    ]


def _pick(key: bytes, student: str, exercise: str, count: int) -> int:
    """Return the number of a version, which nobody without the key can compute."""
    digest = hmac.digest(key, f"{student}|{exercise}".encode(), "sha256")
    return int.from_bytes(digest) % count


def _read_roster(path: Path) -> list[str]:
    """Return the students' names, in the form that submissions have."""
    rows = csv.DictReader(io.StringIO(read_table(path), newline=""))
    if "student" not in (columns := rows.fieldnames or ()):
        raise TeachingError(
            f"{path} has no column 'student', separated by commas; its first line is "
            f"{','.join(columns)!r}."
        )
    names = [(row["student"] or "").strip() for row in rows]
    names = [legal_name(name) for name in names if name]
    if not names or len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise TeachingError(
            f"{path} has two students {', '.join(twice)}: tell them apart."
            if twice
            else f"{path} has no student: add a line for each."
        )
    return names


def _read_key(roster: Path) -> bytes:
    path = roster.with_suffix(".key")
    try:
        return bytes.fromhex(path.read_text("utf8"))
    except (OSError, ValueError) as error:
        raise TeachingError(
            f"{path} is missing, or not the key that assign has written; without it, "
            "nobody knows which version each student has."
        ) from error
