"""The parent's side of a confined process: sends it cells, and kills it when it exceeds
a limit.
"""

import contextlib
import json
import secrets
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from genai_tutorial.runtime import require
from genai_tutorial.sandbox.folders import deleted_files, folder_size
from genai_tutorial.sandbox.processes import ForkedProcess, SingleProcess

_LONGEST_REPLY = 1 << 20
_START_SECONDS = 120.0
FORGED = "stopped: it answered in the grader's place"


@dataclass(frozen=True)
class Limits:
    """Resource limits for the code of one exercise.

    Attributes:
        cell_seconds: Time per cell.
        exercise_seconds: Time for all cells of an exercise together.
        memory: Memory in bytes, in addition to that of the libraries.
        file_size: Size of one file in bytes; all files together may be four times as
            large.
        characters: Number of characters of a cell's output to keep.
    """

    cell_seconds: float = 60.0
    exercise_seconds: float = 180.0
    memory: int = 2 << 30
    file_size: int = 64 << 20
    characters: int = 10_000


class Stopped(Exception):
    """Raised when the confined process has ended or was killed."""


class ConfinedProcess:
    """A confined process that runs the cells of one exercise."""

    def __init__(
        self, process: ForkedProcess | SingleProcess, limits: Limits, scratch: Path
    ) -> None:
        self._process, self._limits, self._scratch = process, limits, scratch
        self._resident = _resident(process.pid)
        self._channel: threading.Thread | None = None
        self._ended: Stopped | None = None
        self._deadline = time.monotonic() + limits.exercise_seconds

    def greet(self) -> dict:
        """Wait until the process is confined, and return which protections it found."""
        greeting = self._exchange("hello", {}, _START_SECONDS)
        self._deadline = time.monotonic() + self._limits.exercise_seconds
        return greeting

    def ask(self, do: str, **fields: object) -> dict:
        """Send one request and wait for its answer.

        Raises:
            Stopped: If the process has ended or was killed.
        """
        seconds = min(self._limits.cell_seconds, self._deadline - time.monotonic())
        return self._exchange(do, fields, seconds)

    def close(self) -> None:
        """Kill the process if it is still running."""
        self._process.end()
        self._channel.join(1)
        # otherwise another process holds the pipe, and closing it would block
        if not self._channel.is_alive():
            self._process.close()

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
            raise self._stop(
                f"the process ended before the cell did ({_exit_words(code)})"
            )
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
            if time.monotonic() > deadline and seconds < self._limits.cell_seconds:
                raise self._stop(
                    "stopped: the exercise took more than "
                    f"{self._limits.exercise_seconds:g} seconds"
                )
            if time.monotonic() > deadline:
                raise self._stop(f"stopped after {seconds:g} seconds")

    def _excess(self) -> str:
        """Say which limit the process exceeds, if any."""
        limits = self._limits
        if _resident(self._process.pid) > self._resident + limits.memory:
            return f"it took more than {limits.memory / (1 << 30):g} GiB of memory"
        most = 4 * limits.file_size
        deleted = deleted_files(self._process.pid, self._scratch, limits.file_size)
        if folder_size(self._scratch) + deleted > most:
            return f"it wrote more than {most >> 20} MiB of files"
        return ""

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
        if reply.pop("id") != token or not isinstance(reply.get("output", ""), str):
            return None
        if error is not None:
            texts = [
                error["name"],
                error["message"],
                *(frame["text"] for frame in error["frames"]),
            ]
            places = [frame["where"] for frame in error["frames"]]
            lines = [frame["line"] for frame in error["frames"]]
            if not all(isinstance(text, str) for text in texts + places) or not all(
                isinstance(n, int) for n in lines
            ):
                return None
        if value is not None and type(value) not in (int, float):
            return None
        if not all(isinstance(name, str) for name in reply.get("changed", [])):
            return None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return reply


def _resident(pid: int) -> int:
    psutil = require("psutil", "teach")
    try:
        return psutil.Process(pid).memory_info().rss
    except psutil.Error:
        return 0


def _exit_words(code: int | None) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
