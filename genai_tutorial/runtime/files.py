"""Files that are whole or absent: atomic writing, and a cache of arrays."""

import contextlib
import hashlib
import inspect
import logging
import os
import secrets
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import numpy as np
import platformdirs


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
        OSError: If the folder or the file cannot be written.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "notes", "today.txt")
    >>> with write_atomically(path, "w") as file:
    ...     _ = file.write("one line\n")
    >>> path.read_text()
    'one line\n'
    """
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
    """Remove what killed processes have left of unfinished writes of a file, which no
    process may be writing at the same time.

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


logger = logging.getLogger(__name__)

# Every cache file has a label beside its data: its key and the names of its arrays. A
# file from elsewhere has none, and a zip directory that lost an entry (it has no
# checksum) does not match it.
_LABEL = "__genai_tutorial_label__"


def cache_folder() -> Path:
    """Return the cache folder: `GENAI_TUTORIAL_CACHE` if it is set, else the system's
    folder for the user's caches.
    """
    if chosen := os.environ.get("GENAI_TUTORIAL_CACHE"):
        return Path(chosen).expanduser()
    return platformdirs.user_cache_path("genai_tutorial")


def cached(
    name: str, build: Callable[[], dict[str, np.ndarray]], version: str = ""
) -> dict[str, np.ndarray]:
    """Return the arrays that `build()` returns, from a file if they were built before.

    The file is used only if it is complete and was written by the same builder: its
    name and its contents carry a hash of `version` and of the source of the module that
    defines `build`. If either changes, the arrays are built again. A truncated, altered
    or foreign file is replaced. Two processes may call this at the same time. If the
    folder cannot be written to, the arrays are built every time.

    Args:
        name: A short name for the file, such as `"mnist"`: letters, digits, `-` and
            `_`.
        build: A function without arguments, defined in a module (not in a notebook). It
            returns arrays of numbers or strings by name.
        version: Anything else that the arrays depend on, such as the version of the
            package with the data.

    Raises:
        ValueError: If `build` is not defined in a file.
        TypeError: If `build()` returned an array of Python objects.
    """
    key = _fingerprint(name, build, version)
    path = cache_folder() / f"{name}-{key[:16]}.npz"
    arrays = _read(path, key)
    if arrays is None:
        arrays = {field: np.asarray(array) for field, array in build().items()}
        objects = [name for name, array in arrays.items() if array.dtype.hasobject]
        if objects:
            raise TypeError(
                "A cache holds numbers and strings, but build() returned Python "
                f"objects in {', '.join(objects)}"
            )
        _write(path, key, arrays)
    return arrays


def _fingerprint(
    name: str, build: Callable[[], dict[str, np.ndarray]], version: str
) -> str:
    try:
        code = inspect.getsource(sys.modules[build.__module__])
    except (KeyError, OSError, TypeError) as error:
        raise ValueError(
            f"build must be a function defined in a file, got {build!r}"
        ) from error
    parts = "\0".join([name, version, build.__qualname__, code])
    return hashlib.sha256(parts.encode()).hexdigest()


def _read(path: Path, key: str) -> dict[str, np.ndarray] | None:
    if not path.exists():
        return None
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            # reading every byte also checks every checksum
            arrays = {field: file[field] for field in file.files}
        # NumPy returns the bytes of a member that does not begin like an array.
        is_whole = all(isinstance(array, np.ndarray) for array in arrays.values())
        if is_whole and arrays.pop(_LABEL).tolist() == [key, *arrays]:
            return arrays
        problem = "it was written by something else"
    # A damaged zip file can raise nearly any exception, and the remedy is always the
    # same: build again.
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
    logger.warning(
        "The cache file %s is not usable (%s). It is built again.", path, problem
    )
    return None


def _write(path: Path, key: str, arrays: dict[str, np.ndarray]) -> None:
    try:
        with write_atomically(path) as file:
            np.savez_compressed(file, **{_LABEL: np.array([key, *arrays])}, **arrays)
    # a full disk or a read-only folder: the arrays are still in memory
    except OSError as error:
        logger.warning(
            "The cache file %s could not be written (%s). The next call will take as "
            "long as this one.",
            path,
            error,
        )
