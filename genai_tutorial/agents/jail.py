"""A file jail: tools may read and write files below one folder and nowhere else."""

import os
import stat
from pathlib import Path

from genai_tutorial.agents.tools import ToolError
from genai_tutorial.runtime import write_atomically

LONGEST_FILE = 100_000
"""The largest number of bytes that are read or written."""


class JailError(ToolError):
    """Raised for a path that is not below the root, or is no ordinary file."""


class FileJail:
    """A folder that file tools cannot leave.

    Links are followed before the check, so that a link inside cannot point outside. A
    file is then opened step by step from the root, without following any link, so that
    a link made after the check is refused as well.

    Args:
        root: The folder.

    Raises:
        ValueError: If there is no such folder.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     jail = FileJail(folder)
    ...     jail.write("notes/a.txt", "one line")
    ...     jail.read("notes/a.txt"), jail.files()
    ...     jail.read("../secret.txt")
    Traceback (most recent call last):
    genai_tutorial.agents.jail.JailError: '../secret.txt' leaves the folder.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root).resolve()
        if not self.root.is_dir():
            raise ValueError(f"{root} is not a folder: make it first.")

    def resolve(self, path: str) -> Path:
        """Return where a path leads, all links followed.

        Raises:
            JailError: If it is empty, cannot be a path, or leaves the root.
        """
        if not path or "\0" in path:
            raise JailError(f"{path!r} is not a path.")
        try:
            target = (self.root / path).resolve()
        except (OSError, RuntimeError, ValueError) as error:  # a loop of links
            raise JailError(f"{path!r} is not a path.") from error
        if not target.is_relative_to(self.root):
            raise JailError(f"{path!r} leaves the folder.")
        return target

    def read(self, path: str) -> str:
        """Return the text of a file.

        Raises:
            JailError: If the path leaves the root, or leads to no file of text of at
                most `LONGEST_FILE` bytes.
        """
        handle = self._open(self.resolve(path), path)
        with os.fdopen(handle, "rb") as file:
            content = file.read(LONGEST_FILE + 1)
        if len(content) > LONGEST_FILE:
            raise JailError(f"{path!r} has more than {LONGEST_FILE:,} bytes.")
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            raise JailError(f"{path!r} is not a text.") from error

    def write(self, path: str, text: str) -> None:
        """Write a file, and the folders above it, replacing one that is there.

        Raises:
            JailError: If the path leaves the root or is a folder, or the text is too
                long.
        """
        target = self.resolve(path)
        if len(text.encode()) > LONGEST_FILE:
            raise JailError(f"The text has more than {LONGEST_FILE:,} bytes.")
        if target == self.root or target.is_dir():
            raise JailError(f"{path!r} is a folder.")
        target.parent.mkdir(parents=True, exist_ok=True)
        with write_atomically(target, "w") as file:
            file.write(text)

    def delete(self, path: str) -> None:
        """Delete a file for good.

        Raises:
            JailError: If the path leaves the root, or leads to no ordinary file.
        """
        target = self.resolve(path)
        if not target.is_file():
            raise JailError(f"There is no file {path!r}.")
        target.unlink()

    def files(self) -> list[str]:
        """Return the paths of all ordinary files, in alphabetical order."""
        return sorted(
            (Path(parent) / name).relative_to(self.root).as_posix()
            for parent, _, names in os.walk(self.root)
            for name in names
            if stat.S_ISREG(os.lstat(os.path.join(parent, name)).st_mode)
        )

    def _open(self, target: Path, path: str) -> int:
        """Open a file step by step, without following links, and check that it is an
        ordinary one.
        """
        no_link = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        parts = target.relative_to(self.root).parts
        opened = []
        try:
            if os.open in os.supports_dir_fd and parts:
                opened.append(os.open(self.root, os.O_RDONLY))
                for part in parts:
                    below = os.open(part, os.O_RDONLY | no_link, dir_fd=opened[-1])
                    opened.append(below)
            else:
                opened.append(os.open(target, os.O_RDONLY | no_link))
            if not stat.S_ISREG(os.fstat(opened[-1]).st_mode):
                raise JailError(f"{path!r} is no ordinary file.")
            return opened.pop()
        except OSError as error:
            reason = "cannot be opened" if target.exists() else "does not exist"
            raise JailError(f"{path!r} {reason}.") from error
        finally:
            for handle in opened:
                os.close(handle)
