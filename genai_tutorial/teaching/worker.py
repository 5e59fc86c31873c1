"""The process that runs students' code. It receives nothing of the instructor's
material except the cell to run.

On Linux it loads the libraries once, then forks a process for each exercise, confines
it, and runs the exercise's cells in it. Elsewhere, each exercise gets a process that is
started separately. Messages are lines of JSON.
"""

import gc
import importlib
import json
import os
import select
import signal
import site
import socket
import sys
import tempfile
import warnings
from pathlib import Path
from typing import TextIO

from genai_tutorial.runtime import cache_folder
from genai_tutorial.sandbox import guard, linux

from .session import Session, Snapshot

# what libraries such as matplotlib and psutil ask the system for
_LIBRARIES_READ = (
    "/etc/fonts", "/etc/passwd", "/etc/nsswitch.conf", "/etc/mime.types", "/proc/self",
    "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/sys/devices/system/cpu",
)  # fmt: skip


def _serve(
    settings: dict, scratch: str, commands: TextIO, replies: TextIO, shell, libraries
) -> None:
    """Confine this process, and answer requests until the input ends."""
    os.chdir(scratch)
    os.environ.update(HOME=scratch, TMPDIR=scratch, TEMP=scratch, TMP=scratch)
    tempfile.tempdir = None
    sys.dont_write_bytecode = True
    guard.close_streams()
    limits = settings["limits"]
    landlock = filtered = False
    if os.name == "posix":
        linux.limit_resources(
            limits["memory"], limits["file_size"], limits["cpu_seconds"], 1 << 30
        )
    if sys.platform == "linux":
        landlock, filtered = linux.confine(
            [*_LIBRARIES_READ, *_libraries(settings["secrets"])], [scratch]
        )
    found = guard.probe(settings["secrets"], os.path.dirname(scratch), limits["memory"])
    _forbid(settings["secrets"], scratch)
    session = Session(shell, libraries, limits["characters"])
    how = {"landlock": landlock, "filter": filtered}
    how["namespaces"] = settings["namespaces"]
    for line in commands:
        request = json.loads(line)
        reply = (
            {"enforced": found, "how": how}
            if request["do"] == "hello"
            else getattr(session, request["do"])(**request["with"])
        )
        replies.write(json.dumps({"id": request["id"], **reply}) + "\n")
        replies.flush()
    os._exit(0)


def _forbid(secrets: list[str], scratch: str) -> None:
    """Give a clear message, for the rest of the process, where code does what no
    exercise needs.
    """
    network, programs, changes = guard.NETWORK, guard.PROGRAMS, guard.CHANGES
    real, windows, own = os.path.realpath, sys.platform == "win32", os.getpid()
    hidden, home = {real(path) for path in secrets}, real(scratch) + os.sep
    null, loopback = real(os.devnull), ("socket.connect", "socket.bind")
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

    def inside(path: object) -> bool:
        named = isinstance(path, str | bytes)
        return not named or (real(os.fsdecode(path)) + os.sep).startswith(home)

    def hook(event: str, args: tuple) -> None:
        reason = ""
        if event == "open" and isinstance(args[0], str | bytes):
            path = real(os.fsdecode(args[0]))
            if path in hidden:
                reason = "This file is not for the code of an exercise to read."
            elif args[2] & writing and not inside(path) and path != null:
                reason = "A graded exercise can write only in its own folder."
        elif event in network:
            # On Windows an event loop talks to itself over the loopback address.
            if not (windows and event in loopback and args[1][0] == "127.0.0.1"):
                reason = "The network is off while an exercise is graded."
        elif event in programs:
            reason = "Other programs cannot be started while an exercise is graded."
        elif event == "os.kill" and args[0] != own:
            reason = "Other processes are out of reach while an exercise is graded."
        elif event in changes and not (
            inside(args[0]) and (event != "os.rename" or inside(args[1]))
        ):
            reason = "A graded exercise can change files only in its own folder."
        if reason:
            raise PermissionError(reason)

    sys.addaudithook(hook)


def _libraries(hidden: list[str]) -> list[str]:
    """Return the folders that student code may read: the libraries of this Python, this
    package and its data cache, except those that contain a hidden file.
    """
    candidates = [Path(site.getusersitepackages()), cache_folder()]
    candidates.append(Path(__file__).parents[1])
    for name in ("lib", "lib64", "share"):
        candidates += [Path(sys.prefix, name), Path(sys.base_prefix, name)]
    found = {path.resolve() for path in candidates if path.exists()}
    private = {folder for file in hidden for folder in Path(file).parents}
    return sorted(map(str, found - private))


def _prepare(modules: list[str]) -> tuple[object, Snapshot, list[str]]:
    """Import the modules that the exercises need and start IPython."""
    missing = []
    for name in modules:
        try:
            importlib.import_module(name)
        except Exception as error:  # if it matters, the chapter's own solution fails
            missing.append(f"{name} ({error})")
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    # IPython's advice on sys.exit
    warnings.filterwarnings("ignore", message="To exit:", category=UserWarning)
    config = Config({"HistoryManager": {"enabled": False}})
    shell = InteractiveShell.instance(config=config)
    for method in ("showtraceback", "showsyntaxerror", "showindentationerror"):
        setattr(shell, method, lambda *args, **kwargs: None)  # errors travel as data
    # "%matplotlib inline" has no front end here
    shell.enable_gui = lambda gui=None: None
    # Code that imports the grader's modules from now on gets copies without effect.
    for room in ("sandbox", "teaching"):
        own = f"genai_tutorial.{room}"
        for name in [name for name in sys.modules if name.startswith(own)]:
            del sys.modules[name]
        vars(sys.modules["genai_tutorial"]).pop(room, None)
    return shell, Snapshot(), missing


def _fork_processes(control: socket.socket) -> None:
    """Load all modules once, then fork a confined process for each exercise."""
    settings = json.loads(sys.stdin.readline())
    settings["namespaces"] = linux.enter_namespaces(settings["secrets"])
    shell, libraries, missing = _prepare(settings["modules"])
    # keeps the garbage collector of a forked process from touching, and so copying,
    # shared memory
    gc.freeze()
    control.send(json.dumps({"missing": missing}).encode())
    while True:
        scratch, pipes, _, _ = socket.recv_fds(control, 1 << 16, 2)
        if not scratch:  # the grader has exited
            os._exit(0)
        if not pipes:  # "end" for a process that has already ended
            continue
        child = os.fork()
        if child == 0:
            control.close()  # a confined process must not be able to send requests
            linux.die_with_parent()
            with (
                os.fdopen(pipes[0], encoding="utf-8") as commands,
                os.fdopen(pipes[1], "w", encoding="utf-8") as replies,
            ):
                _serve(settings, scratch.decode(), commands, replies, shell, libraries)
        for pipe in pipes:
            os.close(pipe)
        control.send(str(child).encode())
        control.send(str(_watch(child, control)).encode())


def _watch(child: int, control: socket.socket) -> int:
    """Wait for a process to end, or kill it when the grader asks or has exited."""
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if select.select([control], [], [], 0.01)[0]:
            gone = not control.recv(16)
            os.kill(child, signal.SIGKILL)
            if gone:
                os._exit(0)


def main() -> None:
    """Start as a forker if a socket number is given, otherwise as a single process."""
    if len(sys.argv) > 1:
        _fork_processes(socket.socket(fileno=int(sys.argv[1])))
    commands = os.fdopen(os.dup(0), encoding="utf-8")
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    settings = {**json.loads(commands.readline()), "namespaces": False}
    shell, libraries, _ = _prepare(settings["modules"])
    _serve(settings, settings["scratch"], commands, replies, shell, libraries)


if __name__ == "__main__":
    main()
