"""The folder of a confined process: how much is in it, and its deletion, whatever the
process has made of it.
"""

import contextlib
import math
import os
import stat
import uuid
from pathlib import Path

_FILE_COSTS = 4096  # bytes that an empty file or a folder takes


def folder_size(folder: Path) -> float:
    """Return the bytes of all files in a folder, or infinity if they cannot be counted:
    the process took away the rights, or nested folders too deep.
    """
    total, waiting = 0, [str(folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    total += _FILE_COSTS
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_size
        except (FileNotFoundError, NotADirectoryError):  # deleted meanwhile
            continue
        except OSError:
            return math.inf
    return total


def deleted_files(process: int, folder: Path, largest: int) -> float:
    """Return the bytes of files that a process of Linux has deleted and still holds.

    A file that is mapped into memory counts as one of the `largest` size, because its
    size cannot be seen.
    """
    own, sizes = Path("/proc", str(process)), {}
    name = f"/{folder.parent.name}/{folder.name}/"
    try:
        for handle in os.scandir(own / "fd"):
            with contextlib.suppress(FileNotFoundError):
                file = os.stat(handle.path)
                if stat.S_ISREG(file.st_mode) and not file.st_nlink:
                    sizes[str(file.st_ino)] = file.st_size
        for line in (own / "maps").read_text(errors="replace").splitlines():
            if line.endswith(" (deleted)") and name in line:
                sizes.setdefault(line.split()[4], largest)
    except (FileNotFoundError, ProcessLookupError):  # not Linux, or it has ended
        return 0
    except OSError:  # it hides them
        return math.inf
    return sum(sizes.values())


def remove_folder(folder: Path) -> None:
    """Delete a folder with everything in it, at any depth and with any rights. Never
    raises; what the system does not let go stays.
    """
    waiting = [str(folder)]
    emptied = []
    while waiting:
        here = waiting.pop()
        with contextlib.suppress(OSError):
            os.chmod(here, 0o700)
            for entry in list(os.scandir(here)):
                with contextlib.suppress(OSError):
                    if not entry.is_dir(follow_symlinks=False):
                        os.unlink(entry.path)
                        continue
                    # nothing is deeper than one level, so no path becomes too long
                    os.chmod(entry.path, 0o700)
                    waiting.append(os.path.join(folder, uuid.uuid4().hex))
                    os.rename(entry.path, waiting[-1])
            emptied.append(here)
    for path in reversed(emptied):
        with contextlib.suppress(OSError):
            os.rmdir(path)
