"""Protection on every system: Python's audit hook, and a probe of what is really
enforced.

The hook gives students a clear message where Linux would only report "Operation not
permitted". On macOS and Windows it is the only protection besides limits on time and
memory. It cannot be removed, but C code can bypass it, so reports do not count it: they
list only what the probe found to be blocked before the hook was installed.
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


def install(secrets: list[str], scratch: str) -> None:
    """Block, for the rest of the process, operations that no exercise needs.

    Args:
        secrets: Files of the instructor and of other students.
        scratch: The only folder in which files may be created.
    """
    hidden = {os.path.realpath(path) for path in secrets}
    home = os.path.realpath(scratch) + os.sep
    null, own, real, windows = (
        os.path.realpath(os.devnull),
        os.getpid(),
        os.path.realpath,
        sys.platform == "win32",
    )
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

    def inside(path: object) -> bool:
        return not isinstance(path, str | bytes) or (
            real(os.fsdecode(path)) + os.sep
        ).startswith(home)

    def hook(event: str, args: tuple) -> None:
        if event == "open" and isinstance(args[0], str | bytes):
            path = real(os.fsdecode(args[0]))
            if path in hidden:
                raise PermissionError(
                    "This file is not for the code of an exercise to read."
                )
            if args[2] & writing and not inside(path) and path != null:
                raise PermissionError(
                    "While an exercise is graded it can write files only in its own "
                    "folder."
                )
        elif event in NETWORK:
            # On Windows an event loop communicates with itself over the loopback
            # address.
            if not (
                windows
                and event in ("socket.connect", "socket.bind")
                and args[1][0] == "127.0.0.1"
            ):
                raise PermissionError("The network is off while an exercise is graded.")
        elif event in PROGRAMS:
            raise PermissionError(
                "Other programs cannot be started while an exercise is graded."
            )
        elif event == "os.kill" and args[0] != own:
            raise PermissionError(
                "Other processes are out of reach while an exercise is graded."
            )
        elif event in CHANGES and not (
            inside(args[0]) and (event != "os.rename" or inside(args[1]))
        ):
            raise PermissionError(
                "While an exercise is graded it can change files only in its own "
                "folder."
            )

    sys.addaudithook(hook)


def probe(secrets: list[str], outside: str, memory: int) -> dict[str, bool]:
    """Try each forbidden operation, and report whether it was blocked.

    Args:
        secrets: Files that must not be readable.
        outside: Folder in which no file may be created.
        memory: Maximum number of bytes that may be allocated.
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
    """Return whether a datagram socket can be connected to this machine. Nothing is
    sent."""
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
