import struct

import pytest

from genai_tutorial.sandbox.seccomp import filter_program

_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_PID = 4242
_ALLOWED, _REFUSED, _UNKNOWN, _KILLED = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000


def answer(program: bytes, architecture: int, number: int, *arguments: int) -> int:
    """Run a filter on one system call, as the kernel's BPF machine does."""
    data = struct.pack(
        "<IIQ6Q", number, architecture, 0, *arguments, *[0] * (6 - len(arguments))
    )
    accumulator, place = 0, 0
    while True:
        code, jump_true, jump_false, constant = struct.unpack_from(
            "<HBBI", program, 8 * place
        )
        place += 1
        if code == 0x06:
            return constant
        if code == 0x20:
            (accumulator,) = struct.unpack_from("<I", data, constant)
            continue
        true = {
            0x15: accumulator == constant,
            0x35: accumulator >= constant,
            0x45: bool(accumulator & constant),
        }[code]
        place += jump_true if true else jump_false


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_seccomp_filter_decides_each_system_call(machine: str) -> None:
    numbers = {
        "x86_64": {
            "read": 0, "write": 1, "mmap": 9, "socketpair": 53, "socket": 41,
            "clone": 56, "execve": 59, "kill": 62,
            "fcntl": 72, "chmod": 90, "ptrace": 101, "tgkill": 234, "prlimit": 302,
            "clone3": 435,
            "io_uring_setup": 425, "futex": 202, "exit_group": 231,
            "ioctl": 16, "prctl": 157, "memfd_create": 319, "semget": 64, "semop": 65,
            "utimensat": 280, "inotify_add_watch": 254, "sendmsg": 46,
            "setxattrat": 463, "removexattrat": 466, "file_setattr": 469,
        },
        "aarch64": {
            "read": 63, "write": 64, "mmap": 222, "socketpair": 199, "socket": 198,
            "clone": 220, "execve": 221,
            "kill": 129, "fcntl": 25, "chmod": 53, "ptrace": 117, "tgkill": 131,
            "prlimit": 261, "clone3": 435,
            "io_uring_setup": 425, "futex": 98, "exit_group": 94,
            "ioctl": 29, "prctl": 167, "memfd_create": 279, "semget": 190, "semop": 193,
            "utimensat": 88, "inotify_add_watch": 27, "sendmsg": 211,
            "setxattrat": 463, "removexattrat": 466, "file_setattr": 469,
        },
    }[machine]  # fmt: skip
    program = filter_program(machine, _PID)

    def ask(name: str, *arguments: int) -> int:
        return answer(program, _ARCHITECTURE[machine], numbers[name], *arguments)

    for name in ("read", "write", "mmap", "socketpair", "futex", "exit_group"):
        assert ask(name) == _ALLOWED, name
    refused = "socket execve chmod ptrace io_uring_setup semop memfd_create semget "
    for name in f"{refused} utimensat inotify_add_watch sendmsg".split():
        assert ask(name) == _REFUSED, name
    for name in ("setxattrat", "removexattrat", "file_setattr"):  # newer than the list
        assert ask(name) == _UNKNOWN, name
    # a terminal's attributes, and a socket that does not block
    assert ask("ioctl", 0, 0x5401) == ask("ioctl", 3, 0x5421) == _ALLOWED
    for signalling in (0x8901, 0x8902, 0x5452):  # FIOSETOWN, SIOCSPGRP, FIOASYNC
        assert ask("ioctl", 3, signalling) == _REFUSED
    assert ask("ioctl", 3, 0x40086602) == _REFUSED  # a file's attributes
    assert [ask("fcntl", 3, 4, flags) for flags in (0x800, 0x2800)] == [
        _ALLOWED,
        _REFUSED,
    ]
    assert [ask("prctl", option) for option in (4, 15)] == [_REFUSED, _ALLOWED]
    # the flags with which the C library starts a thread
    assert ask("clone", 0x003D0F00) == _ALLOWED
    assert ask("clone", 0x01200011) == _REFUSED  # the flags for a new process
    assert ask("clone3") == _UNKNOWN
    for name in ("kill", "tgkill"):
        assert ask(name, _PID) == _ALLOWED
        for other in (0, 1, _PID + 1, 2**32 - 1):
            assert ask(name, other) == _REFUSED
    assert ask("prlimit", 0) == ask("prlimit", _PID) == _ALLOWED
    assert ask("prlimit", 1) == _REFUSED
    assert [ask("fcntl", 3, command) for command in (1, 3, 8, 10, 15, 1024, 1026)] == [
        _ALLOWED
    ] * 2 + [_REFUSED] * 5
    # 32-bit calls have different numbers
    assert answer(program, 0x40000003, numbers["socket"]) == _KILLED


def test_seccomp_filter_refuses_x32_system_calls() -> None:
    assert (
        answer(filter_program("x86_64", _PID), _ARCHITECTURE["x86_64"], 0x40000000 + 41)
        == _REFUSED
    )
