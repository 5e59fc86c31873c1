"""Write a file whole or not at all."""

import contextlib
import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO


@contextlib.contextmanager
def write_atomically(
    path: Path | str, mode: str = "wb", dir_fd: int | None = None
) -> Iterator[IO]:
    r"""Open a temporary file beside `path` that replaces it when the block ends.

    The content is on the disk before the name changes, so a reader finds the old file
    or the new one, even if the process is killed or the power fails. If the block
    raises, the old file stays and the temporary one is removed.

    Args:
        path: The file; its folder is created if it is missing.
        mode: `"wb"` for bytes or `"w"` for text in UTF-8.
        dir_fd: File descriptor of the folder, if `path` is a plain file name; only on
            systems where `os.open` takes one.

    Raises:
        ValueError: If the mode is not one of the two.
        OSError: If the folder or the file cannot be written.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "notes", "today.txt")
    >>> with write_atomically(path, "w") as file:
    ...     _ = file.write("one line\n")
    >>> path.read_text()
    'one line\n'
    """
    if mode not in ("wb", "w"):
        raise ValueError(f"mode must be 'wb' or 'w', got {mode!r}.")
    path = Path(path)
    if dir_fd is None:
        path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{_mark(path)}{secrets.token_hex(8)}.tmp")
    text = {} if mode == "wb" else {"encoding": "utf-8", "newline": "\n"}

    def create(name: str, flags: int) -> int:
        return os.open(name, flags | os.O_EXCL, 0o666, dir_fd=dir_fd)

    try:
        with open(temporary, mode, opener=create, **text) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileNotFoundError):
            old = stat.S_IMODE(os.stat(path, dir_fd=dir_fd).st_mode)
            os.chmod(temporary, old, dir_fd=dir_fd)
        os.replace(temporary, path, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=dir_fd)


def remove_unfinished(path: Path | str) -> None:
    """Remove what killed processes have left of unfinished writes of a file, which
    nobody may be writing at the same time.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "run.safetensors")
    >>> remove_unfinished(path)
    """
    path = Path(path)
    for left in path.parent.glob(f"{_mark(path)}*.tmp"):
        left.unlink(missing_ok=True)


def _mark(path: Path) -> str:
    """Return the beginning of the names of a file's temporary files; it is a digest,
    because the file's name may already have the maximum length.
    """
    return f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]}-"
