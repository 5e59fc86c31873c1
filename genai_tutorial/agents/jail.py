"""A file jail: tools may read and write files below one folder and nowhere else."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from genai_tutorial.runtime import write_atomically

from .tools import ToolError

LONGEST_FILE = 100_000
"""The largest number of bytes that are read or written."""

_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_FOLDER = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_DIRECTORY", 0)


class JailError(ToolError):
    """Raised for a path that is not below the root, or is no ordinary file."""


class FileJail:
    """A folder that file tools cannot leave.

    Links are followed before the check, so that a link inside cannot point outside. To
    read, write or delete a file, its folder is then opened step by step from the root,
    without following any link, so that a link made after the check is refused as well.
    Windows has no such way to open folders, and there only the check protects.

    Raises:
        ValueError: If there is no such folder.
        JailError: If the path that a method gets leads out or to a folder, or its file
            is no text of at most `LONGEST_FILE` bytes.

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
        """Return where a path leads, all links followed."""
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
        """Return the text of a file."""
        with self._folder_of(path) as (name, folder):
            descriptor = os.open(name, os.O_RDONLY | _NO_LINK, dir_fd=folder)
            try:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise JailError(f"{path!r} is no ordinary file.")
                with os.fdopen(descriptor, "rb", closefd=False) as file:
                    content = file.read(LONGEST_FILE + 1)
            finally:
                os.close(descriptor)
        if len(content) > LONGEST_FILE:
            raise JailError(f"{path!r} has more than {LONGEST_FILE:,} bytes.")
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            raise JailError(f"{path!r} is not a text.") from error

    def write(self, path: str, text: str) -> None:
        """Write a file, and the folders above it, replacing one that is there."""
        if len(text.encode()) > LONGEST_FILE:
            raise JailError(f"The text has more than {LONGEST_FILE:,} bytes.")
        with (
            self._folder_of(path, make=True) as (name, folder),
            write_atomically(name, "w", dir_fd=folder) as file,
        ):
            file.write(text)

    def delete(self, path: str) -> None:
        """Delete a file for good."""
        with self._folder_of(path) as (name, folder):
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if not stat.S_ISREG(found.st_mode):
                raise JailError(f"{path!r} is no ordinary file.")
            os.unlink(name, dir_fd=folder)

    def files(self) -> list[str]:
        """Return the paths of all ordinary files, in alphabetical order."""
        return sorted(
            (Path(parent) / name).relative_to(self.root).as_posix()
            for parent, _, names in os.walk(self.root)
            for name in names
            if stat.S_ISREG(os.lstat(os.path.join(parent, name)).st_mode)
        )

    @contextmanager
    def _folder_of(
        self, path: str, make: bool = False
    ) -> Iterator[tuple[str, int | None]]:
        """Yield a file's name and the descriptor of its folder, opened step by step
        without following links. Errors of the system in the block become a `JailError`.
        """
        target = self.resolve(path)
        if target == self.root:
            raise JailError(f"{path!r} is a folder.")
        *above, name = target.relative_to(self.root).parts
        folder = None
        try:
            if os.open in os.supports_dir_fd:
                folder = os.open(self.root, _FOLDER)
                for part in above:
                    if make:
                        with suppress(FileExistsError):
                            os.mkdir(part, dir_fd=folder)
                    below = os.open(part, _FOLDER, dir_fd=folder)
                    os.close(folder)
                    folder = below
            yield (str(target) if folder is None else name), folder
        except IsADirectoryError as error:
            raise JailError(f"{path!r} is a folder.") from error
        except FileNotFoundError as error:
            raise JailError(f"{path!r} does not exist.") from error
        except OSError as error:
            raise JailError(f"{path!r} cannot be opened.") from error
        finally:
            if folder is not None:
                os.close(folder)
