"""Starting and ending the processes that run students' code."""

import contextlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

from genai_tutorial.runtime import cache_folder
from genai_tutorial.sandbox import SandboxError

_LONGEST_WAIT = 120.0  # seconds, for libraries to load
# What a process sees of the teacher's environment, which may contain API keys.
_KEPT = (
    "PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "SYSTEMROOT",
    "CONDA_PREFIX", "VIRTUAL_ENV",
)  # fmt: skip
_GIVEN = {
    **dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"
    ),
    "PYTHONHASHSEED": "0",
    "PYTHONUTF8": "1",
    "MPLBACKEND": "agg",
    "CUDA_VISIBLE_DEVICES": "",
    "GENAI_TUTORIAL_QUIET": "1",
}


class SingleProcess:
    """A confined process that was started, not forked."""

    def __init__(self, settings: dict, scratch: Path) -> None:
        self._process = subprocess.Popen(
            _command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            **_clean(scratch),
        )
        self.pid = self._process.pid
        self.commands, self.replies = self._process.stdin, self._process.stdout
        start = json.dumps({**settings, "scratch": str(scratch)})
        self.commands.write(start.encode() + b"\n")

    def end(self) -> int | None:
        """End the process and return its exit code."""
        self._process.kill()
        return self._process.wait(10)


class Forker:
    """The process that loads the libraries and forks confined processes. It never runs
    student code itself.
    """

    def __init__(self, settings: dict, folder: Path) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(_LONGEST_WAIT)
        log = folder / "errors.txt"
        with theirs, log.open("wb") as errors:
            self._process = subprocess.Popen(
                [*_command(), str(theirs.fileno())],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                pass_fds=[theirs.fileno()],
                **_clean(folder),
            )
        self._control = ours
        hello = b""
        # a process that has already ended sends nothing
        with contextlib.suppress(OSError):
            with self._process.stdin as stdin:
                stdin.write(json.dumps(settings).encode() + b"\n")
            hello = ours.recv(1 << 16)
        if not hello:
            self.close()
            words = log.read_text(encoding="utf-8", errors="replace").strip()
            raise SandboxError(
                "The process that runs students' code did not start "
                f"({(words.splitlines() or ['no message'])[-1]})."
            )
        self.missing = json.loads(hello)["missing"]

    @property
    def alive(self) -> bool:
        """True if the process can fork."""
        return self._process.poll() is None

    def fork(self, scratch: Path) -> "ForkedProcess":
        """Fork a confined process that may write to one folder."""
        read_commands, write_commands = os.pipe()
        read_replies, write_replies = os.pipe()
        socket.send_fds(
            self._control, [str(scratch).encode()], [read_commands, write_replies]
        )
        os.close(read_commands)
        os.close(write_replies)
        pid = int(self._control.recv(32) or 0)
        commands = os.fdopen(write_commands, "wb")
        return ForkedProcess(
            pid, commands, os.fdopen(read_replies, "rb"), self._control
        )

    def close(self) -> None:
        """End this process and the open confined process."""
        self._control.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)


class ForkedProcess:
    """A forked confined process. The forker waits for it, and kills it on request."""

    def __init__(
        self, pid: int, commands: BinaryIO, replies: BinaryIO, control: socket.socket
    ) -> None:
        self.pid, self.commands, self.replies = pid, commands, replies
        self._control = control
        self._code: int | None = None
        self._over = False

    def end(self) -> int | None:
        """End the process and return its exit code."""
        if not self._over:
            self._over = True
            with contextlib.suppress(OSError):
                self._control.send(b"end")
                self._code = int(self._control.recv(32) or -1)
        return self._code


def _command() -> list[str]:
    # -P: no imports from the current folder
    return [sys.executable, "-P", "-m", "genai_tutorial.teaching.worker"]


def _clean(folder: Path) -> dict:
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    environment |= _GIVEN | dict.fromkeys(
        ("HOME", "TMPDIR", "TEMP", "TMP"), str(folder)
    )
    environment["GENAI_TUTORIAL_CACHE"] = str(cache_folder())
    return {"env": environment, "cwd": folder}
