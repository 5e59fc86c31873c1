"""Writing files: never half of one, and never over something that the teacher did not
agree to lose.
"""

import contextlib
import os
import secrets
from pathlib import Path

from genai_tutorial.teaching.exercises import TeachingError


def check_absent(path: Path, overwrite: bool) -> None:
    """Refuse to replace a file unless told to.

    Raises:
        TeachingError: If the file exists and `overwrite` is false.
    """
    if path.exists() and not overwrite:
        raise TeachingError(
            f"{path} exists already; choose another folder, or say that it may be "
            "overwritten."
        )


def write_text(path: Path, text: str) -> Path:
    """Write a file through a temporary one beside it, so that a crash leaves the old
    file or the new one, whole.

    Raises:
        TeachingError: If the folder cannot be written to.
    """
    # a name of its own: with the file's in it, it could be longer than a name may be
    temporary = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise TeachingError(
            f"{path} cannot be written ({error.strerror or error})."
        ) from error
    return path
