"""The sandbox of an exercise: a confined process that runs its cells and is killed when
it exceeds a limit, and a record of which protections were enforced.
"""

import contextlib
import json
import math
import os
import secrets
import stat
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from genai_tutorial.runtime import require
from genai_tutorial.sandbox import Protection, SandboxError, protections_found

from .processes import ForkedProcess, Forker, SingleProcess

_LONGEST_REPLY = 1 << 20
_START_SECONDS = 120.0
_FILE_COSTS = 4096  # bytes that an empty file or a folder takes
FORGED = "stopped: it answered in the grader's place"
_STUDENTS_CODE = {
    "files": (
        "Students' code cannot read the instructor's notebook or other submissions"
    ),
    "writing": "Students' code can write only in a folder of its own",
    "network": "Students' code has no network",
    "processes": "Students' code cannot start other programs",
    "others": "Students' code cannot signal or look into other processes",
    "memory": "Students' code has a memory limit that the system enforces",
}


@dataclass(frozen=True)
class Limits:
    """Resource limits for the code of one exercise."""

    cell_seconds: float = 60.0
    exercise_seconds: float = 180.0
    memory: int = 2 << 30  # bytes, in addition to the libraries' memory
    file_size: int = 64 << 20  # bytes; all files together may be four times as large
    characters: int = 10_000  # of a cell's output


class Stopped(Exception):
    """Raised when the confined process has ended or was killed."""


class Sandbox:
    """Runs student code in confined processes that cannot read the files in `hidden`;
    use it in a `with` block.
    """

    def __init__(self, modules: list[str], hidden: list[Path], limits: Limits) -> None:
        self.limits = limits
        self.missing: list[str] = []
        self._folder: Path | None = None
        self._settings = {
            "modules": modules,
            "secrets": sorted({str(path.resolve()) for path in hidden}),
            "limits": {
                "memory": limits.memory,
                "file_size": limits.file_size,
                "cpu_seconds": int(limits.exercise_seconds) + 10,
                "characters": limits.characters,
            },
        }
        self._forker: Forker | None = None
        self._opened = 0
        self._refused: dict[str, bool] = {}
        self._means: dict[str, bool] = {}

    def __enter__(self) -> "Sandbox":
        folder = tempfile.mkdtemp(prefix="genai-tutorial-grading-")
        self._folder = Path(folder).resolve()
        try:
            with self.open_process():
                return self
        except BaseException as error:
            self.__exit__()
            if isinstance(error, Stopped):
                raise SandboxError(
                    f"The process that runs students' code does not start: {error}."
                ) from error
            raise

    def __exit__(self, *_: object) -> None:
        if self._forker:
            self._forker.close()
            self._forker = None
        remove_folder(self._folder)

    @contextlib.contextmanager
    def open_process(self) -> Iterator["ConfinedProcess"]:
        """Open a new confined process, which is closed at the end of the block."""
        self._opened += 1
        scratch = self._folder / f"process-{self._opened}"
        scratch.mkdir()
        process = ConfinedProcess(self._start(scratch), self.limits, scratch)
        try:
            greeting = process.greet()
            for name, refused in greeting["enforced"].items():
                self._refused[name] = self._refused.get(name, True) and refused
            self._means = greeting["how"]
            yield process
        finally:
            process.close()
            remove_folder(scratch)

    @property
    def protections(self) -> tuple[Protection, ...]:
        """The protections, each with whether the probe found it enforced."""
        return protections_found(_STUDENTS_CODE, self._refused, self._means)

    def _start(self, scratch: Path) -> ForkedProcess | SingleProcess:
        if sys.platform != "linux":
            return SingleProcess(self._settings, scratch)
        if self._forker is None or not self._forker.alive:
            if self._forker:
                self._forker.close()
            self._forker = Forker(self._settings, self._folder)
            self.missing = self._forker.missing
        return self._forker.fork(scratch)


class ConfinedProcess:
    """A confined process that runs the cells of one exercise."""

    def __init__(
        self, process: ForkedProcess | SingleProcess, limits: Limits, scratch: Path
    ) -> None:
        self._process, self._limits, self._scratch = process, limits, scratch
        self._resident = _resident(process.pid)
        self._channel: threading.Thread | None = None
        self._ended: Stopped | None = None
        self._shown = False
        self._deadline = time.monotonic() + limits.exercise_seconds

    def greet(self) -> dict:
        """Wait until the process is confined, and return which protections it found."""
        greeting = self._exchange("hello", {}, _START_SECONDS)
        # some systems show nobody what a process holds
        self._shown = self._deleted() < math.inf
        self._deadline = time.monotonic() + self._limits.exercise_seconds
        return greeting

    def ask(self, do: str, **fields: object) -> dict:
        """Send one request and wait for its answer, or raise `Stopped`."""
        seconds = min(self._limits.cell_seconds, self._deadline - time.monotonic())
        return self._exchange(do, fields, seconds)

    def close(self) -> None:
        """Kill the process if it is still running."""
        self._process.end()
        self._channel.join(1)
        # otherwise another process holds the pipe, and closing it would block
        if not self._channel.is_alive():
            for pipe in (self._process.commands, self._process.replies):
                with contextlib.suppress(OSError):
                    pipe.close()

    def _exchange(self, do: str, fields: dict, seconds: float) -> dict:
        if self._ended:
            raise self._ended
        # an answer without this token does not belong to this request
        token = secrets.token_hex(16)
        request = json.dumps({"do": do, "id": token, "with": fields}).encode() + b"\n"
        answer: list[bytes] = []
        self._channel = threading.Thread(
            target=self._send, args=(request, answer), daemon=True
        )
        self._channel.start()
        self._wait(seconds)
        if not answer or not answer[0]:
            code = self._process.end()
            killed = code is not None and code < 0
            how = f"signal {-code}" if killed else f"exit code {code}"
            raise self._stop(f"the process ended before the cell did ({how})")
        reply = _read_reply(answer[0], token)
        if reply is None:
            raise self._stop(FORGED)
        return reply

    def _send(self, request: bytes, answer: list[bytes]) -> None:
        # the pipes close when the process ends
        with contextlib.suppress(OSError, ValueError):
            self._process.commands.write(request)
            self._process.commands.flush()
            answer.append(self._process.replies.readline(_LONGEST_REPLY))

    def _wait(self, seconds: float) -> None:
        """Wait for an answer while watching time, memory and files."""
        deadline = time.monotonic() + seconds
        while True:
            self._channel.join(0.1)
            answered = not self._channel.is_alive()
            if reason := self._excess():
                raise self._stop(f"stopped: {reason}")
            if answered:
                return
            if time.monotonic() > deadline:
                whole = self._limits.exercise_seconds
                raise self._stop(
                    f"stopped: the exercise took more than {whole:g} seconds"
                    if seconds < self._limits.cell_seconds
                    else f"stopped after {seconds:g} seconds"
                )

    def _excess(self) -> str:
        """Say which limit the process exceeds, if any."""
        limits = self._limits
        if _resident(self._process.pid) > self._resident + limits.memory:
            return f"it took more than {limits.memory / (1 << 30):g} GiB of memory"
        most = 4 * limits.file_size
        deleted = self._deleted() if self._shown else 0
        if folder_size(self._scratch) + deleted > most:
            return f"it wrote more than {most >> 20} MiB of files"
        return ""

    def _deleted(self) -> float | int:
        """Return the bytes of files that the process has deleted and still holds."""
        own, sizes = Path("/proc", str(self._process.pid)), {}
        name = f"/{self._scratch.parent.name}/{self._scratch.name}/"
        try:
            for handle in os.scandir(own / "fd"):
                with contextlib.suppress(FileNotFoundError):
                    file = os.stat(handle.path)
                    if stat.S_ISREG(file.st_mode) and not file.st_nlink:
                        sizes[str(file.st_ino)] = file.st_size
            for line in (own / "maps").read_text(errors="replace").splitlines():
                # the size of a file that is only mapped into memory cannot be seen
                if line.endswith(" (deleted)") and name in line:
                    sizes.setdefault(line.split()[4], self._limits.file_size)
        except (FileNotFoundError, ProcessLookupError):  # not Linux, or it has ended
            return 0
        except OSError:  # it hides them
            return math.inf
        return sum(sizes.values())

    def _stop(self, reason: str) -> Stopped:
        self._process.end()
        self._ended = Stopped(reason)
        return self._ended


def _read_reply(line: bytes, token: str) -> dict | None:
    """Return the answer to this request after checking its form, because messages
    from a confined process are not trusted.
    """
    try:
        reply = json.loads(line)
        error, value = reply.get("error"), reply.get("value")
        texts = [reply.get("output", ""), *reply.get("changed", [])]
        lines: list[object] = []
        if error is not None:
            texts += [error["name"], error["message"]]
            for frame in error["frames"]:
                texts += [frame["text"], frame["where"]]
                lines.append(frame["line"])
        sound = (
            reply.pop("id") == token
            and all(isinstance(text, str) for text in texts)
            and all(isinstance(line, int) for line in lines)
            and (value is None or type(value) in (int, float))
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return reply if sound else None


def _resident(pid: int) -> int:
    psutil = require("psutil", "teach")
    try:
        return psutil.Process(pid).memory_info().rss
    except psutil.Error:
        return 0


def folder_size(folder: Path) -> float | int:
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
