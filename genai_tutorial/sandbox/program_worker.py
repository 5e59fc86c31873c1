"""The process that runs generated programs: a bare Python that forks a confined child
for each of them.

It imports nothing but the standard library, because forking a process of a few
megabytes takes about a millisecond, and forking one that has loaded torch takes twenty.
Messages are lines of JSON.
"""

import contextlib
import errno
import gc
import importlib
import io
import json
import os
import random
import secrets
import select
import signal
import sys
import time
import traceback

from . import guard, linux

_PROGRAM = "<program>"
_MOST_TEXT = 8000  # characters of a message
_LONGEST_REPLY = 1 << 17  # bytes; what is longer was not written by our code
_NO_MEMORY = 86  # an exit code
_KINDS = ("passed", "wrong", "raised", "out of memory", "forbidden")
_MOST_FILES = 256  # the worker never has more files open
# Loaded once here, since most programs import some of them.
_COMMON = ("collections", "functools", "heapq", "itertools", "math", "re", "string")
_COMMON += ("typing",)


class KeptOutput(io.TextIOBase):
    """Captures printed output and keeps its beginning.

    >>> output = KeptOutput(limit=5)
    >>> print("12345678", file=output)
    >>> output.text()
    '12345\\n... and 4 more characters'
    """

    def __init__(self, limit: int) -> None:
        self._parts: list[str] = []
        self._room, self._lost = limit, 0

    def write(self, text: str) -> int:
        text = str(text)
        kept = text[: self._room]
        self._parts += [kept] if kept else []
        self._room -= len(kept)
        self._lost += len(text) - len(kept)
        return len(text)

    def text(self) -> str:
        more = f"\n... and {self._lost:,} more characters" if self._lost else ""
        return "".join(self._parts) + more


class _Forbidden(PermissionError):
    """Raised in a program that tries something it may not do."""


class _Attempts:
    """An audit hook that refuses forbidden operations and remembers the first one, even
    if the program catches the exception.
    """

    def __init__(self, readable: list[str]) -> None:
        self.first: str | None = None
        self._readable = tuple(os.path.realpath(path) + os.sep for path in readable)

    def watch(self, event: str, args: tuple) -> None:
        attempt = None
        if event == "open" and isinstance(args[0], str | bytes):
            path = os.path.realpath(os.fsdecode(args[0]))
            writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
            # compile looks for the program
            if path == os.devnull or args[0] == _PROGRAM:
                return
            if args[2] & writing:
                attempt = f"write to {os.fsdecode(args[0])}"
            elif not (path + os.sep).startswith(self._readable):
                attempt = f"read {os.fsdecode(args[0])}"
        elif event in guard.NETWORK or event == "socket.__new__":
            attempt = f"use the network ({event.removesuffix('.__new__')})"
        elif event in guard.PROGRAMS:
            attempt = f"start a process ({event})"
        elif event in guard.CHANGES:
            attempt = f"change a file ({event})"
        elif event == "os.kill":
            attempt = "send a signal (os.kill)"
        if attempt:
            self.first = self.first or f"it tried to {attempt}"[:_MOST_TEXT]
            raise _Forbidden(self.first)


def _run_program(source: str, attempts: _Attempts) -> dict:
    """Run a program in this process, and return what came of it as plain data."""
    output = KeptOutput(_MOST_TEXT)
    try:
        code = compile(source, _PROGRAM, "exec", dont_inherit=True)
        with contextlib.redirect_stdout(output):
            exec(code, {"__name__": "__main__"})
        kind, message = "passed", ""
    except AssertionError as error:
        kind, message = "wrong", _text(error) or _failing_line(error, source)
    except MemoryError:
        kind, message = "out of memory", ""
    except BaseException as error:  # any exception of the program ends here
        kind, message = "raised", _with_name(error)
        if isinstance(error, PermissionError):  # by the kernel
            kind = "forbidden"
        elif isinstance(error, OSError) and error.errno == errno.ENOMEM:
            kind = "out of memory"
    if attempts.first:
        kind, message = "forbidden", attempts.first
    return {"kind": kind, "message": message[:_MOST_TEXT], "output": output.text()}


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException:  # a custom exception class may fail even here
        return ""


def _with_name(error: BaseException) -> str:
    name, text = type(error).__name__, _text(error)
    return f"{name}: {text}" if text else name


def _failing_line(error: BaseException, source: str) -> str:
    walk = traceback.walk_tb(error.__traceback__)
    lines = [line for frame, line in walk if frame.f_code.co_filename == _PROGRAM]
    return source.split("\n")[lines[-1] - 1].strip() if lines else ""


def _confine(settings: dict) -> tuple[bool, bool]:
    """Give up, for the rest of this process, what no program needs."""
    if sys.platform == "linux":
        linux.die_with_parent()
    linux.limit_resources(settings["memory"], 0, int(settings["cpu_seconds"]) + 1)
    if sys.platform != "linux":
        return False, False
    return linux.confine(settings["readable"], [])


def _child(settings: dict, source: str, token: str, report: int) -> None:
    """Confine this process, run the program, and report how it ended."""
    for signum in (signal.SIGPROF, signal.SIGXCPU):
        signal.signal(signum, signal.SIG_DFL)
    _confine(settings)
    attempts = _Attempts([*settings["readable"], *linux.PYTHON_NEEDS])
    sys.addaudithook(attempts.watch)
    random.seed(0)
    # The kernel ends the process when it has used this much CPU time. The whole seconds
    # of RLIMIT_CPU are the second line, in case the program stops the timer.
    signal.setitimer(signal.ITIMER_PROF, settings["cpu_seconds"])
    reply = json.dumps({**_run_program(source, attempts), "token": token})
    os.write(report, reply.encode())
    os._exit(0)


def _run(settings: dict, source: str) -> dict:
    """Fork a child for one program, wait for it, and return what came of it."""
    token = secrets.token_hex(8)  # a report without it was not written by our code
    reading, report = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            # a program must not be able to answer in the worker's place
            os.closerange(3, report)
            os.closerange(report + 1, _MOST_FILES)
            _child(settings, source, token, report)
        except MemoryError:  # too little was left for the report
            os._exit(_NO_MEMORY)
        except BaseException:  # the child ends without a report
            os._exit(1)
    os.close(report)
    deadline = time.monotonic() + settings["wall_seconds"]
    reply = b""
    while select.select([reading], [], [], max(0, deadline - time.monotonic()))[0]:
        part = os.read(reading, 1 << 16)
        reply += part
        if not part or len(reply) > _LONGEST_REPLY:
            break
    os.close(reading)
    ended = _wait(child, deadline)
    if waited := ended is None:
        os.kill(child, signal.SIGKILL)
        ended = os.wait4(child, 0)
    _, status, usage = ended
    seconds = usage.ru_utime + usage.ru_stime
    outcome = _read_reply(reply, token) or _without_reply(status, seconds, settings)
    if waited and outcome["kind"] != "out of time":
        message = f"it was still waiting after {settings['wall_seconds']:g} s"
        outcome = {"kind": "out of time", "message": message}
    if outcome["kind"] == "out of memory":
        megabytes = settings["memory"] >> 20
        outcome["message"] = f"it needed more than {megabytes} MiB of memory"
    return {**outcome, "cpu_seconds": seconds}


def _wait(child: int, deadline: float) -> tuple | None:
    """Return what wait4 says about a process, or None if it has not ended in time."""
    while time.monotonic() < deadline:
        ended = os.wait4(child, os.WNOHANG)
        if ended[0]:
            return ended
        time.sleep(0.0005)
    return None


def _read_reply(reply: bytes, token: str) -> dict | None:
    # a program that finds the token can forge a report
    wrong = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
    with contextlib.suppress(*wrong):
        fields = json.loads(reply)
        if fields.pop("token") == token and fields["kind"] in _KINDS:
            return {name: str(fields[name]) for name in ("kind", "message", "output")}
    return None


def _without_reply(status: int, seconds: float, settings: dict) -> dict:
    code = os.waitstatus_to_exitcode(status)
    limit = settings["cpu_seconds"]
    if code in (-signal.SIGPROF, -signal.SIGXCPU) or seconds > limit:
        message = f"it used more than {limit:g} s of CPU time"
        return {"kind": "out of time", "message": message}
    if code == _NO_MEMORY:
        return {"kind": "out of memory", "message": ""}
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    return {"kind": "raised", "message": f"it ended before its tests did ({how})"}


def _probe(settings: dict) -> dict:
    """Find out in a separate child process which protections are enforced here."""
    reading, report = os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            landlock, filtered = _confine(settings)
            outside, memory = settings["outside"], settings["memory"]
            found = guard.probe(["/etc/passwd"], outside, memory)
            how = {"landlock": landlock, "filter": filtered}
            os.write(report, json.dumps({"enforced": found, "how": how}).encode())
        os._exit(0)
    os.close(report)
    with os.fdopen(reading) as file:
        found = json.loads(file.read() or "{}")
    os.waitpid(child, 0)
    return found


def main() -> None:
    """Answer requests until the input ends."""
    commands = os.fdopen(os.dup(0), encoding="utf-8")
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    guard.close_streams()
    sys.dont_write_bytecode = True
    settings = json.loads(commands.readline())
    namespaces = sys.platform == "linux" and linux.enter_namespaces([])
    for name in _COMMON:
        importlib.import_module(name)
    gc.freeze()  # shared memory stays shared
    greeting = _probe(settings)
    greeting.get("how", {})["namespaces"] = namespaces
    replies.write(json.dumps(greeting) + "\n")
    replies.flush()
    for line in commands:
        replies.write(json.dumps(_run(settings, json.loads(line))) + "\n")
        replies.flush()
