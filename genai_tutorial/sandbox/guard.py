"""What untrusted code must not do: the events of Python's audit hooks, and a probe of
what is really enforced.

An audit hook gives a clear message where Linux would only report "Operation not
permitted". On macOS and Windows it is the only protection besides limits on time and
memory. It cannot be removed, but C code can bypass it, so reports do not count it: they
list only what the probe found to be blocked before a hook was installed.
"""

import mmap
import os
import socket
import sys
from collections.abc import Callable

NETWORK = frozenset({
    "socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg",
    "socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr",
    "socket.getnameinfo", "urllib.Request",
})  # fmt: skip
PROGRAMS = frozenset({
    "subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty",
    "os.posix_spawn", "os.spawn", "os.startfile", "pty.spawn",
})  # fmt: skip
CHANGES = frozenset({
    "os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.truncate", "os.chmod",
    "os.chown", "os.link", "os.symlink", "os.utime", "os.setxattr", "os.removexattr",
    "shutil.rmtree",
})  # fmt: skip


def close_streams() -> None:
    """Lead input and output of this process to nowhere."""
    for number, mode in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        handle = os.open(os.devnull, mode)
        os.dup2(handle, number)
        os.close(handle)


def probe(secrets: list[str], outside: str, memory: int) -> dict[str, bool]:
    """Try each forbidden operation, and report whether it was blocked: to read the
    `secrets`, to write to the folder `outside`, to allocate more than `memory` bytes.
    """
    parent = os.getppid()
    return {
        "files": not any(_works(_read, path) for path in secrets),
        "writing": not _works(_write, os.path.join(outside, f"probe-{os.getpid()}")),
        "network": not _works(_connect),
        "processes": not _works(_fork),
        "others": not (
            _works(_signal, parent)
            or _works(_signal_by_socket, parent)
            or _works(_read, f"/proc/{parent}/environ")
        ),
        "memory": not _works(_allocate, memory + (64 << 20)),
    }


def _works(attempt: Callable, *arguments: object) -> bool:
    try:
        attempt(*arguments)
    except (OSError, ValueError, MemoryError):
        return False
    return True


def _read(path: str) -> None:
    with open(path, "rb") as file:
        if not file.read(1):
            raise OSError("hidden files appear empty")


def _write(path: str) -> None:
    open(path, "xb").close()
    os.unlink(path)


def _connect() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        channel.connect(("127.0.0.1", 9))  # nothing is sent


def _fork() -> None:
    child = os.fork() if hasattr(os, "fork") else os.getpid()
    if child == 0:
        os._exit(0)
    if child != os.getpid():
        os.waitpid(child, 0)


def _signal(process: int) -> None:
    if os.name == "posix":  # on other systems this call would kill the process
        os.kill(process, 0)


def _signal_by_socket(process: int) -> None:
    """Make the kernel announce input on a socket to another process by SIGIO, which
    would end it. The socket gets no input.
    """
    if sys.platform == "linux":
        import fcntl

        one, other = socket.socketpair()
        with one, other:
            fcntl.ioctl(one, 0x8901, process.to_bytes(4, sys.byteorder))  # FIOSETOWN


def _allocate(size: int) -> None:
    if hasattr(mmap, "MAP_PRIVATE"):
        mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
