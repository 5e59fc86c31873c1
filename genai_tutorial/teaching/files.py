"""Atomic file writes that never replace a file without the teacher's consent."""

from pathlib import Path

from genai_tutorial.runtime import write_atomically
from genai_tutorial.teaching.exercises import TeachingError


def check_absent(path: Path, overwrite: bool) -> None:
    """Refuse to replace an existing file.

    Raises:
        TeachingError: If the file exists and `overwrite` is false.
    """
    if path.exists() and not overwrite:
        raise TeachingError(
            f"{path} exists already; choose another folder, or replace it with "
            "--overwrite."
        )


def write_text(path: Path, text: str) -> Path:
    """Write a file atomically.

    Raises:
        TeachingError: If the folder cannot be written to.
    """
    try:
        with write_atomically(path, "w") as file:
            file.write(text)
    except OSError as error:
        raise TeachingError(
            f"{path} cannot be written ({error.strerror or error})."
        ) from error
    return path
