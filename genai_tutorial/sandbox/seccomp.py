"""A Linux system-call filter (seccomp) for an untrusted process.

It needs no privileges, so it works on a laptop, in a container and as root. A filter is
a small program for the kernel's packet-filter machine (BPF). It examines the number of
each system call, and sometimes one argument, and allows or blocks the call. Source: the
kernel's documentation, Documentation/userspace-api/seccomp_filter.rst.
"""

import ctypes
import os
import platform
import struct

# Numbers from the kernel's headers: (x86_64, aarch64), None if an architecture lacks
# the call.
_NEVER: dict[str, tuple[int | None, int]] = {
    # the network, in every address family (socketpair, which stays within the process,
    # is allowed)
    "socket": (41, 198),
    # other programs and processes (threads are allowed)
    "fork": (57, None), "vfork": (58, None), "execve": (59, 221),
    "execveat": (322, 281),
    # inspecting or signalling other processes
    "ptrace": (101, 117), "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271), "kcmp": (312, 272), "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
    "pidfd_open": (434, 434), "pidfd_send_signal": (424, 424),
    "pidfd_getfd": (438, 438),
    # indirect ways to do any of this
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "unshare": (272, 97), "setns": (308, 268),
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "chroot": (161, 51), "open_tree": (428, 428), "move_mount": (429, 429),
    "fsopen": (430, 430), "mount_setattr": (442, 442), "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265), "bpf": (321, 280), "perf_event_open": (298, 241),
    "userfaultfd": (323, 282), "personality": (135, 92), "keyctl": (250, 219),
    "add_key": (248, 217), "request_key": (249, 218),
    # watching files and folders, and asking the kernel for its log
    "inotify_init": (253, None), "inotify_init1": (294, 26),
    "inotify_add_watch": (254, 27), "fanotify_init": (300, 262),
    "fanotify_mark": (301, 263), "syslog": (103, 116),
    # not covered by Landlock: permissions, sizes and times of files outside
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53),
    "fchmodat2": (452, 452), "chown": (92, None), "lchown": (94, None),
    "fchown": (93, 55), "fchownat": (260, 54), "truncate": (76, 45),
    "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7),
    "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16),
    "utime": (132, None), "utimes": (235, None), "futimesat": (261, None),
    "utimensat": (280, 88),
    # memory that no limit counts: shared, outside every process, or an open file that
    # travels through a socket
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195),
    "semget": (64, 190), "semop": (65, 193), "semctl": (66, 191),
    "semtimedop": (220, 192), "msgget": (68, 186), "msgsnd": (69, 189),
    "msgrcv": (70, 188), "msgctl": (71, 187), "mq_open": (240, 180),
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "sendmsg": (46, 211),
    "sendmmsg": (307, 269),
    # the scheduling and the memory of other processes
    "process_madvise": (440, 440), "process_mrelease": (448, 448),
    "migrate_pages": (256, 238), "move_pages": (279, 239), "setpriority": (141, 140),
    "sched_setaffinity": (203, 122), "sched_setscheduler": (144, 119),
    "sched_setparam": (142, 118), "sched_setattr": (314, 274), "ioprio_set": (251, 30),
}  # fmt: skip
# column above, AUDIT_ARCH_* of linux/audit.h
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_CLONE, _CLONE3, _KILL, _TGKILL = (56, 220), (435, 435), (62, 129), (234, 131)
_PRLIMIT, _PRCTL, _FCNTL, _IOCTL = (302, 261), (157, 167), (72, 25), (16, 29)
_CLONE_THREAD = 0x00010000
# A process that cannot be examined could hide how much it has written.
_PR_SET_DUMPABLE = 4
# F_SETOWN, F_SETSIG and F_SETOWN_EX can send any signal to any process; F_SETLEASE and
# F_NOTIFY wait for what others do with a file.
_FCNTL_NEVER = (8, 10, 15, 1024, 1026)
_F_SETFL, _O_ASYNC = 4, 0x2000
# What libraries ask about a terminal, a pipe or a socket: TCGETS, TCGETS2, TIOCGWINSZ,
# FIONREAD, FIONBIO, FIONCLEX, FIOCLEX. The others include signals (FIOASYNC) and file
# attributes (FS_IOC_SETFLAGS).
_IOCTL_ALLOWED = (0x5401, 0x802C542A, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
# Linux 6.10's mseal; what later versions add is not implemented here
_LAST_KNOWN = 462

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL_PROCESS = 0x7FFF0000, 0x80000000
_REFUSE, _UNKNOWN = 0x00050000 | 1, 0x00050000 | 38  # EPERM, ENOSYS
_ARGUMENTS = 16  # where struct seccomp_data has the arguments, of 8 bytes each
_Instruction = tuple[int, int, int, int]
_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2


def filter_program(machine: str, pid: int) -> bytes | None:
    """Assemble the filter for one process, or return `None` on an unknown architecture.

    >>> filter_program("riscv64", pid=1) is None
    True
    """
    if machine not in _MACHINES:
        return None
    column, architecture = _MACHINES[machine]
    code = [
        (_LOAD, 0, 0, 4),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL_PROCESS),
        (_LOAD, 0, 0, 0),
    ]
    if machine == "x86_64":  # the same calls have other numbers in the x32 ABI
        code += [(_AT_LEAST, 0, 1, 0x40000000), (_RETURN, 0, 0, _REFUSE)]
    code += [(_AT_LEAST, 0, 1, _LAST_KNOWN + 1), (_RETURN, 0, 0, _UNKNOWN)]
    for numbers in _NEVER.values():
        if numbers[column] is not None:
            code += [(_EQUAL, 0, 1, numbers[column]), (_RETURN, 0, 0, _REFUSE)]
    # A filter cannot read the flags of clone3; "not implemented" makes the C library
    # fall back to clone.
    code += [(_EQUAL, 0, 1, _CLONE3[column]), (_RETURN, 0, 0, _UNKNOWN)]
    code += _on(
        _CLONE[column], 0, [(_ANY_BIT, 1, 0, _CLONE_THREAD), (_RETURN, 0, 0, _REFUSE)]
    )
    for call in (_KILL, _TGKILL):
        code += _on(call[column], 0, _refuse_all_but(pid))
    code += _on(_PRLIMIT[column], 0, _refuse_all_but(0, pid))
    code += _on(_PRCTL[column], 0, _refuse(_PR_SET_DUMPABLE))
    code += _on(_IOCTL[column], 1, _refuse_all_but(*_IOCTL_ALLOWED))
    signals_on_input = [
        (_EQUAL, 0, 3, _F_SETFL),
        (_LOAD, 0, 0, _ARGUMENTS + 16),
        (_ANY_BIT, 0, 1, _O_ASYNC),
        (_RETURN, 0, 0, _REFUSE),
    ]
    code += _on(_FCNTL[column], 1, [*_refuse(*_FCNTL_NEVER), *signals_on_input])
    code += [(_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in code)


def _on(number: int, argument: int, checks: list[_Instruction]) -> list[_Instruction]:
    """For this system call, load one argument and run the checks, which fall through to
    "allow".
    """
    return [
        (_EQUAL, 0, len(checks) + 2, number),
        (_LOAD, 0, 0, _ARGUMENTS + 8 * argument),
        *checks,
        (_RETURN, 0, 0, _ALLOW),
    ]


def _refuse(*values: int) -> list[_Instruction]:
    last = len(values) - 1
    tests = [(_EQUAL, last - i, int(i == last), v) for i, v in enumerate(values)]
    return [*tests, (_RETURN, 0, 0, _REFUSE)]


def _refuse_all_but(*values: int) -> list[_Instruction]:
    tests = [(_EQUAL, len(values) - i, 0, v) for i, v in enumerate(values)]
    return [*tests, (_RETURN, 0, 0, _REFUSE)]


def install(libc: ctypes.CDLL) -> bool:
    """Install the filter irrevocably, after `PR_SET_NO_NEW_PRIVS`, and return whether
    the kernel accepted it.
    """
    program = filter_program(platform.machine(), os.getpid())
    if program is None:
        return False
    buffer = ctypes.create_string_buffer(program, len(program))

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    header = Program(len(program) // 8, ctypes.addressof(buffer))
    return (
        libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(header), 0, 0)
        == 0
    )
