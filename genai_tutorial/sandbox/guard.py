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


def probe(secrets: list[str], outside: str, memory: int) -> dict[str, bool]:
    """Try each forbidden operation, and report whether it was blocked: to read the
    `secrets`, to write to the folder `outside`, to allocate more than `memory` bytes.
    """
    return {
        "files": not any(_can_read(path) for path in secrets),
        "writing": not _can_write(os.path.join(outside, f"probe-{os.getpid()}")),
        "network": not _can_connect(),
        "processes": not _can_fork(),
        "others": not (
            _can_signal(os.getppid())
            or _can_signal_through_socket(os.getppid())
            or _can_read(f"/proc/{os.getppid()}/environ")
        ),
        "memory": not _can_have(memory + (64 << 20)),
    }


def _can_read(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return bool(file.read(1))
    except OSError:
        return False


def _can_write(path: str) -> bool:
    try:
        with open(path, "xb"):
            pass
    except OSError:
        return False
    os.unlink(path)
    return True


def _can_connect() -> bool:
    # nothing is sent
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
            channel.connect(("127.0.0.1", 9))
            return True
    except OSError:
        return False


def _can_fork() -> bool:
    if not hasattr(os, "fork"):
        return True
    try:
        child = os.fork()
    except OSError:
        return False
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return True


def _can_signal(process: int) -> bool:
    if os.name != "posix":  # on those systems this call would kill the process
        return True
    try:
        os.kill(process, 0)
    except OSError:
        return False
    return True


def _can_signal_through_socket(process: int) -> bool:
    """Return whether the kernel would announce input on a socket to another process by
    SIGIO, which ends it. The socket gets no input, so nothing is sent.
    """
    if sys.platform != "linux":
        return os.name == "posix"
    import fcntl

    one, other = socket.socketpair()
    with one, other:
        try:
            fcntl.ioctl(one, 0x8901, process.to_bytes(4, sys.byteorder))  # FIOSETOWN
        except OSError:
            return False
    return True


def _can_have(size: int) -> bool:
    if not hasattr(mmap, "MAP_PRIVATE"):
        return True
    try:
        mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
    except (OSError, ValueError, MemoryError):
        return False
    return True
