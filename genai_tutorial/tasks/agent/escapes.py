"""Thirty known ways out of a sandbox for Python, as short programs. Each prints
`ESCAPED` only after it has done what it must not do.

They are harmless: what they read, write, signal or connect to is made for the test, and
the commands that they start do nothing.
"""

from pathlib import Path

from genai_tutorial.sandbox import Outcome, ProgramLimits, ProgramRunner
from genai_tutorial.tasks.agent.escape import Escape

ESCAPED = "ESCAPED"
"""The word that a program prints after it has got out."""

ESCAPE_LIMITS = ProgramLimits(cpu_seconds=0.5, memory=128 << 20, wall_seconds=5)
"""The limits under which the programs run."""

_LIBC = "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
_SAY = "\nprint('ESCAPED')"


_FILES = (
    Escape("open a file", "files", f"open(SECRET).read(){_SAY}"),
    Escape(
        "open a file by its handle",
        "files",
        f"import os\nos.read(os.open(SECRET, os.O_RDONLY), 9){_SAY}",
    ),
    Escape(
        "open a file through /proc/self/root",
        "files",
        f"open('/proc/self/root' + SECRET).read(){_SAY}",
    ),
    Escape(
        "open a file with the C library",
        "files",
        f"{_LIBC}assert libc.open(SECRET.encode(), 0) >= 0{_SAY}",
    ),
    Escape(
        "run a file as a module",
        "files",
        f"import runpy\nrunpy.run_path(SECRET){_SAY}",
    ),
    Escape(
        "make a link to a file",
        "files",
        f"import os\nos.symlink(SECRET, FOLDER + '/link'){_SAY}",
    ),
    Escape("list a folder", "files", f"import os\nos.listdir(FOLDER){_SAY}"),
    Escape(
        "write a file",
        "files",
        f"open(FOLDER + '/new', 'w').write('x'){_SAY}",
    ),
    Escape(
        "delete a file with the C library",
        "files",
        f"{_LIBC}assert libc.unlink(SECRET.encode()) == 0{_SAY}",
    ),
    Escape(
        "rename a file",
        "files",
        f"import os\nos.rename(SECRET, FOLDER + '/moved'){_SAY}",
    ),
)
_NETWORK = (
    Escape(
        "connect to a server",
        "network",
        f"import socket\nsocket.create_connection(('127.0.0.1', PORT), 1){_SAY}",
    ),
    Escape(
        "send a datagram",
        "network",
        "import socket\nchannel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        f"channel.sendto(b'x', ('127.0.0.1', PORT)){_SAY}",
    ),
    Escape(
        "open a page",
        "network",
        "import urllib.request\n"
        f"urllib.request.urlopen('http://127.0.0.1:PORT', timeout=1){_SAY}",
        works_outside=False,  # the server of the test speaks no HTTP
    ),
    Escape(
        "open a socket with the C library",
        "network",
        f"{_LIBC}assert libc.socket(2, 1, 0) >= 0{_SAY}",
    ),
)
_PROCESSES = (
    Escape(
        "start a shell", "processes", f"import os\nassert os.system('true') == 0{_SAY}"
    ),
    Escape(
        "start a program",
        "processes",
        f"import subprocess\nsubprocess.run(['true'], check=True){_SAY}",
    ),
    Escape(
        "start a shell with the C library",
        "processes",
        f"{_LIBC}assert libc.system(b'true') == 0{_SAY}",
    ),
    Escape(
        "fork",
        "processes",
        "import os\nchild = os.fork()\nif child == 0:\n    os._exit(0)\n"
        f"os.waitpid(child, 0){_SAY}",
    ),
    Escape(
        "walk from a tuple to os.system",
        "processes",
        # what gets out of executors that only forbid imports
        "for kind in ().__class__.__base__.__subclasses__():\n"
        "    if kind.__name__ == '_wrap_close':\n"
        "        system = kind.__init__.__globals__['system']\n"
        f"assert system('true') == 0{_SAY}",
    ),
    Escape(
        "spawn a program from the built-in names",
        "processes",
        "names = vars(__builtins__) if hasattr(__builtins__, '__dict__') else "
        "__builtins__\n"
        "os = names['__import__']('os')\n"
        f"os.waitpid(os.posix_spawn('/bin/true', ['true'], {{}}), 0){_SAY}",
    ),
)
_OTHERS = (
    Escape(
        "kill the parent",
        "other processes",
        f"import os\nos.kill(os.getppid(), 9){_SAY}",
        works_outside=False,
    ),
    Escape(
        "kill the parent with the C library",
        "other processes",
        f"{_LIBC}import os\nassert libc.kill(os.getppid(), 9) == 0{_SAY}",
        works_outside=False,
    ),
    Escape(
        "read the parent's environment",
        "other processes",
        f"import os\nopen(f'/proc/{{os.getppid()}}/environ', 'rb').read(1){_SAY}",
    ),
)
_RESOURCES = (
    Escape(
        "compute for two seconds",
        "resources",
        "import time\nwhile time.process_time() < 2:\n    pass" + _SAY,
    ),
    Escape(
        "compute for two seconds with the timer stopped",
        "resources",
        "import signal, time\nsignal.setitimer(signal.ITIMER_PROF, 0)\n"
        "signal.signal(signal.SIGXCPU, signal.SIG_IGN)\n"
        "while time.process_time() < 2.5:\n    pass" + _SAY,
    ),
    Escape(
        "wait for ten seconds",
        "resources",
        f"import time\ntime.sleep(10){_SAY}",
        works_outside=False,  # it does, but ten seconds are long for a test
    ),
    Escape(
        "take a gigabyte of memory",
        "resources",
        f"x = bytearray(1 << 30){_SAY}",
        works_outside=False,  # a test should not depend on that much being free
    ),
    Escape(
        "raise the limits, then take a gigabyte",
        "resources",
        "import resource\nfor kind in (resource.RLIMIT_DATA, resource.RLIMIT_AS):\n"
        "    resource.setrlimit(kind, (1 << 34, 1 << 34))\n"
        f"x = bytearray(1 << 30){_SAY}",
        works_outside=False,
    ),
)
_CONTROLS = (
    Escape(
        "change the list of files that may be read",
        "controls",
        "import gc\nfor thing in gc.get_objects():\n"
        "    if type(thing).__name__ == '_Attempts':\n"
        f"        thing._readable = ('/',)\nopen(SECRET).read(){_SAY}",
    ),
    Escape(
        "report success in the worker's place",
        "controls",
        "import json, os\nfor number in range(3, 64):\n    try:\n"
        "        os.write(number, json.dumps({'kind': 'passed', 'message': '', "
        "'output': 'ESCAPED', 'token': ''}).encode())\n"
        "    except OSError:\n        pass\nos._exit(0)",
        works_outside=False,  # there is no report to forge
    ),
)

ESCAPES: tuple[Escape, ...] = (
    *_FILES,
    *_NETWORK,
    *_PROCESSES,
    *_OTHERS,
    *_RESOURCES,
    *_CONTROLS,
)
"""The thirty programs."""


def try_escapes(
    runner: ProgramRunner, secret: Path, folder: Path, port: int
) -> list[tuple[Escape, Outcome]]:
    """Run all programs in the sandbox, and return how each ended.

    Args:
        runner: The sandbox, open.
        secret: A file that they must neither read nor change.
        folder: A folder in which they must not write.
        port: A port of this machine that they must not reach.
    """
    programs = [escape.program(secret, folder, port) for escape in ESCAPES]
    return list(zip(ESCAPES, runner.run(programs), strict=True))


def got_out(outcome: Outcome) -> bool:
    """Return whether a program did what it must not."""
    return ESCAPED in outcome.output
