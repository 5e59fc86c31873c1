"""The sandbox is attacked below Python's audit hook, through the C library, as
malicious code would do it.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import nbformat
import psutil
import pytest

from genai_tutorial.sandbox import SandboxError
from genai_tutorial.teaching import TeachingError, grade, processes
from genai_tutorial.teaching import sandbox as module
from genai_tutorial.teaching.exercises import read_chapter
from genai_tutorial.teaching.grading import Grader
from genai_tutorial.teaching.sandbox import (
    Limits,
    Sandbox,
    Stopped,
    _read_reply,
    remove_folder,
)
from genai_tutorial.teaching.session import describe
from genai_tutorial.teaching.submission import read_submission
from tests.teaching.chapters import answered, small_chapter

linux = pytest.mark.skipif(sys.platform != "linux", reason="what only Linux enforces")
_LIBC = (
    "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"
    "pair = (ctypes.c_int * 2)()\nlibc.socketpair(1, 1, 0, pair)\n"
)


def test_error_without_a_line_is_described_without_a_place() -> None:
    """A line of `None` would be taken for a forged answer."""
    told = describe(SyntaxError("invalid syntax"))
    assert (told["message"], told["frames"]) == ("invalid syntax", [])
    placed = describe(SyntaxError("bad", ("<cell>", 3, 1, "x = = 1")))
    assert placed["frames"] == [{"where": "cell", "line": 3, "text": "x = = 1"}]


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("instructor") / "solutions.ipynb"
    path.write_text("the answer is 42")
    return path


@pytest.fixture(scope="module")
def sandbox(secret: Path):
    os.environ["TEACHERS_KEY"] = "abc"
    with Sandbox([], [secret], Limits(memory=256 << 20)) as sandbox:
        yield sandbox
    del os.environ["TEACHERS_KEY"]


@pytest.fixture
def run(sandbox: Sandbox) -> Callable[[str], dict]:
    def run(source: str) -> dict:
        with sandbox.open_process() as process:
            return process.ask("cell", source=source)

    return run


def _everything_enforced(sandbox: Sandbox) -> None:
    """Require all protections. An old kernel cannot enforce them all: then the test is
    skipped, or fails in CI.
    """
    missing = [str(found) for found in sandbox.protections if not found.enforced]
    if missing and "CI" not in os.environ:
        pytest.skip("; ".join(missing))
    assert missing == []


@pytest.mark.slow
@linux
def test_sandbox_enforces_all_limits_on_this_machine(sandbox: Sandbox) -> None:
    _everything_enforced(sandbox)
    assert "Landlock" in str(sandbox.protections[0])


@linux
@pytest.mark.parametrize(
    "attempt",
    [
        "open({secret!r}).read()",
        "import pathlib; pathlib.Path({secret!r}).read_bytes()",
        "import os; os.read(os.open({secret!r}, os.O_RDONLY), 100)",
        "import io; io.FileIO({secret!r}).read()",
        "import shutil; shutil.copy({secret!r}, 'copy'); open('copy').read()",
        "import os; os.symlink({secret!r}, 'link'); open('link').read()",
        "import os; os.link({secret!r}, 'link'); open('link').read()",
        "import numpy as np; np.fromfile({secret!r}, dtype=np.uint8)[0]",
    ],
)
def test_sandbox_denies_reading_instructor_files(
    run, sandbox: Sandbox, secret: Path, attempt: str
) -> None:
    _everything_enforced(sandbox)
    reply = run(attempt.format(secret=str(secret)))
    assert reply["error"]["name"] in ("PermissionError", "FileNotFoundError"), reply
    assert "42" not in reply["output"]


@linux
@pytest.mark.parametrize(
    "attempt",
    [
        (
            "libc.read(libc.open({secret!r}.encode(), 0), "
            "ctypes.create_string_buffer(9), 9) or -1"
        ),
        "libc.open(b'/proc/%d/mem' % os.getppid(), 0)",
        "libc.open(b'/proc/%d/environ' % os.getppid(), 0)",
        "libc.open(b'/proc/%d/root' % os.getppid() + {secret!r}.encode(), 0)",
        "libc.open({folder!r}.encode(), 0o200000)",
        "libc.open(({folder!r} + '/new').encode(), 0o101, 0o644)",
        "libc.unlink({secret!r}.encode())",
        "libc.rename({secret!r}.encode(), b'mine')",
        "libc.truncate({secret!r}.encode(), 0)",
        "libc.chmod({secret!r}.encode(), 0)",
        "libc.socket(2, 1, 0)",
        "libc.socket(2, 2, 0)",
        "libc.socket(10, 1, 0)",
        "libc.socket(1, 1, 0)",
        "libc.socket(16, 3, 0)",
        "libc.syscall(41, 2, 1, 0)",
        "libc.fork()",
        "libc.vfork()",
        "libc.syscall(57)",
        "libc.execv(b'/bin/true', (ctypes.c_char_p * 2)(b'true', None))",
        "libc.kill(os.getppid(), 9)",
        "libc.kill(-1, 9)",
        "libc.kill(0, 9)",
        "libc.ptrace(16, os.getppid(), 0, 0)",
        "libc.unshare(0x10000000)",
        "libc.mount(b'none', b'/mnt', b'tmpfs', 0, None)",
        "libc.umount2({secret!r}.encode(), 2)",
        "libc.syscall(425, 8, ctypes.create_string_buffer(200))",
        "libc.setuid(0) if os.getuid() else libc.setuid(1)",
        "libc.prctl(24, 21, 0, 0, 0) or -1",
        "libc.prctl(4, 0, 0, 0, 0)",
        "libc.memfd_create(b'hidden', 0)",
        "libc.semget(0, 1, 0o1666)",
        "libc.semop(0, ctypes.create_string_buffer(6), 1)",
        "libc.utimensat(-100, {secret!r}.encode(), None, 0)",
        "libc.inotify_init1(0)",
        # newer than the filter, which says so (ENOSYS)
        "libc.syscall(463) if (libc.syscall(463), ctypes.get_errno())[1] == 38 else 0",
        "libc.syscall(469) if (libc.syscall(469), ctypes.get_errno())[1] == 38 else 0",
        "libc.ioctl(pair[0], 0x8901, ctypes.byref(ctypes.c_int(os.getppid())))",
        "libc.ioctl(pair[0], 0x5452, ctypes.byref(ctypes.c_int(1)))",
        "libc.fcntl(pair[0], 4, 0x2000)",
    ],
)
def test_kernel_denies_system_calls(
    run, sandbox: Sandbox, secret: Path, attempt: str
) -> None:
    _everything_enforced(sandbox)
    attempt = attempt.format(secret=str(secret), folder=str(secret.parent))
    reply = run(f"{_LIBC}outcome = {attempt}\nprint(outcome)")
    assert reply["error"] is None, reply
    assert reply["output"].strip() == "-1"
    assert secret.read_text() == "the answer is 42"
    assert [path.name for path in secret.parent.iterdir()] == [secret.name]


@linux
def test_kernel_limits_memory(run, sandbox: Sandbox) -> None:
    _everything_enforced(sandbox)
    reply = run(
        f"{_LIBC}libc.malloc.restype = ctypes.c_void_p\n"
        "print(libc.malloc(ctypes.c_size_t(400 << 20)))"
    )
    assert reply["output"].strip() == "None"


_HIDDEN_FILES = {
    "deleted": (
        "import os\nopen_files = []\nfor i in range(8):\n"
        "    open_files.append(open('a', 'wb')); os.unlink('a')\n"
        "    open_files[-1].write(bytes(1 << 20)); open_files[-1].flush()"
    ),
    "deleted and mapped": (
        "import mmap, os\nmaps = []\nfor i in range(8):\n"
        "    with open('a', 'w+b') as file:\n"
        "        file.write(bytes(1 << 20)); os.unlink('a'); file.flush()\n"
        "        maps.append(mmap.mmap(file.fileno(), 1 << 12))"
    ),
    "too deep to count": (
        "import os\nfor i in range(2_100): os.mkdir('d'); os.chdir('d')\n"
    ),
    "empty": "for i in range(1_100): open(str(i), 'w').close()",
}


@pytest.fixture(scope="module")
def small_sandbox() -> Iterator[Sandbox]:
    with Sandbox([], [], Limits(file_size=1 << 20)) as sandbox:
        yield sandbox


@pytest.mark.slow
@pytest.mark.parametrize("how", _HIDDEN_FILES)
@linux
def test_hidden_files_count(small_sandbox: Sandbox, how: str) -> None:
    with (
        small_sandbox.open_process() as process,
        pytest.raises(Stopped, match="wrote more than 4 MiB of files"),
    ):
        process.ask("cell", source=_HIDDEN_FILES[how])
    assert list(small_sandbox._folder.glob("process-*")) == []


@pytest.mark.slow
def test_folder_that_cannot_be_listed_counts_as_too_large_and_is_removed(
    tmp_path: Path,
) -> None:
    """As an ordinary user, whom the rights of a folder stop."""
    source = (
        "import os, sys\nfrom pathlib import Path\n"
        "from genai_tutorial.teaching.sandbox import folder_size, remove_folder\n"
        "if not os.getuid(): os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "room = Path(sys.argv[1], 'room'); room.mkdir()\n"
        "hidden = room / 'hidden'; hidden.mkdir(0o300)\n"
        "(hidden / 'below').mkdir(); (hidden / 'a').write_bytes(bytes(100))\n"
        "print(folder_size(room)); remove_folder(room); print(room.exists())"
    )
    tmp_path.chmod(0o777)
    for folder in tmp_path.parents:
        if folder.owner() == tmp_path.owner() and folder.name.startswith(("py", "po")):
            folder.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", source, str(tmp_path)], capture_output=True, text=True
    )
    assert done.stdout.split() == ["inf", "False"], done.stderr


def test_folder_of_any_depth_is_removed(tmp_path: Path) -> None:
    """`shutil.rmtree` is recursive in Python 3.11, and paths have a longest length."""
    room, outside = tmp_path / "room", tmp_path / "outside"
    outside.mkdir()
    room.mkdir()
    (room / "link").symlink_to(outside)
    handle = os.open(room, os.O_RDONLY)
    for _ in range(2_500):
        os.mkdir("deep", dir_fd=handle)
        below = os.open("deep", os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = below
    os.close(handle)
    remove_folder(room)
    assert [path.name for path in tmp_path.iterdir()] == ["outside"]


def test_partial_credit_of_true_is_a_forged_answer() -> None:
    assert _read_reply(b'{"id": "a", "value": 1}', "a") == {"value": 1}
    assert _read_reply(b'{"id": "a", "value": true}', "a") is None


@pytest.mark.slow
def test_sandbox_denies_network_even_to_localhost(run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.5)
        port = server.getsockname()[1]
        reply = run(f"import socket\nsocket.create_connection(('127.0.0.1', {port}))")
        assert reply["error"]["name"] == "PermissionError"
        assert "network is off" in reply["error"]["message"]
        with pytest.raises(TimeoutError):
            server.accept()


def test_sandbox_hides_environment_variables(run) -> None:
    assert run(
        "import os; print(os.environ.get('TEACHERS_KEY'), "
        "open('/proc/self/environ').read())"
    )["output"].startswith("None")
    assert "abc" not in run("print(open('/proc/self/environ').read())")["output"]


def test_room_starts_empty_and_is_removed(run) -> None:
    show = "import os; print(os.listdir('.'))"
    assert run(f"open('left', 'w').write('x'); {show}")["output"] == "['left']\n"
    assert run(show)["output"] == "[]\n"


def test_sandbox_allows_ordinary_code(run) -> None:
    reply = run(
        "import tempfile, threading, asyncio, json\n"
        "with tempfile.TemporaryFile() as file: file.write(b'x')\n"
        "thread = threading.Thread(target=print, args=('from a thread',)); "
        "thread.start(); thread.join()\n"
        "await asyncio.sleep(0)\n"
        "import torch\ntorch.save({'a': torch.ones(2)}, 'a.pt'); "
        "print(torch.load('a.pt')['a'].sum())\n"
        "from genai_tutorial.metrics import bootstrap_interval"
    )
    assert reply["error"] is None, reply
    assert "from a thread" in reply["output"]


def test_stopped_room_stays_stopped_and_next_is_fresh(sandbox: Sandbox) -> None:
    with sandbox.open_process() as process:
        with pytest.raises(Stopped, match="exit code 7"):
            process.ask("cell", source="import os; os._exit(7)")
        with pytest.raises(Stopped, match="exit code 7"):
            process.ask("cell", source="1")
    with sandbox.open_process() as process:
        assert process.ask("cell", source="print(1)")["output"] == "1\n"


def test_oversized_reply_is_rejected(sandbox: Sandbox) -> None:
    flood = (
        "import os\nfor handle in range(3, 20):\n    try:\n        while True: "
        "os.write(handle, b'x' * 65536)\n"
    )
    with (
        sandbox.open_process() as process,
        pytest.raises(Stopped, match="in the grader's place"),
    ):
        process.ask("cell", source=flood + "    except OSError: pass")


@pytest.mark.slow
@linux
def test_fork_server_is_restarted_after_crash(secret: Path) -> None:
    with Sandbox([], [secret], Limits()) as sandbox:
        with sandbox.open_process() as process:
            os.kill(sandbox._forker._process.pid, signal.SIGKILL)
            with pytest.raises(Stopped):
                process.ask("cell", source="import time; time.sleep(60)")
        with sandbox.open_process() as process:
            assert process.ask("cell", source="print(1)")["output"] == "1\n"


@pytest.mark.slow
@linux
def test_sandbox_leaves_no_processes_or_files(secret: Path) -> None:
    def children() -> set[int]:
        return {process.pid for process in psutil.Process().children(recursive=True)}

    before = children()
    with Sandbox([], [secret], Limits()) as sandbox:
        with sandbox.open_process() as process:
            process.ask("cell", source="open('a', 'w').write('x')")
            assert len(children() - before) == 2
        folder = sandbox._folder
        assert folder.exists()
    assert children() == before
    assert not folder.exists()


# --- Kernels with partial or no support ---

_WITHOUT = {
    # Docker's default; Ubuntu 24.04 without root
    "namespaces": "linux.enter_namespaces = lambda hidden: False",
    # kernels before 5.13
    "Landlock": "linux._restrict_files = lambda *arguments: False",
    # machines with system calls unknown to the filter
    "filter": "seccomp.install = lambda libc: False",
}


def _without(monkeypatch: pytest.MonkeyPatch, *missing: str) -> None:
    start = "; ".join(_WITHOUT[name] for name in missing)
    imports = (
        "from genai_tutorial.sandbox import linux, seccomp; "
        "from genai_tutorial.teaching import worker"
    )
    command = [sys.executable, "-P", "-c", f"{imports}; {start}; worker.main()"]
    monkeypatch.setattr(processes, "_command", lambda: command)


@pytest.fixture
def no_kernel_help(monkeypatch: pytest.MonkeyPatch) -> None:
    _without(monkeypatch, *_WITHOUT)


@pytest.mark.slow
@linux
@pytest.mark.parametrize(
    ("missing", "open_for_sure", "open_on_some_systems"),
    [
        (["namespaces"], set(), set()),
        (["Landlock"], {"writing"}, {"files"}),
        (["filter"], {"processes"}, {"network", "others"}),
        (["filter", "namespaces"], {"network", "processes"}, {"others"}),
    ],
)
def test_missing_kernel_feature_is_reported_where_it_matters(
    monkeypatch: pytest.MonkeyPatch,
    sandbox: Sandbox,
    secret: Path,
    missing: list[str],
    open_for_sure: set[str],
    open_on_some_systems: set[str],
) -> None:
    _everything_enforced(sandbox)
    _without(monkeypatch, *missing)
    with Sandbox([], [secret], Limits()) as other, other.open_process() as process:
        found = {
            key for key, enforced in process.greet()["enforced"].items() if not enforced
        }
        assert open_for_sure <= found <= open_for_sure | open_on_some_systems
        read = _LIBC + (
            f"print(libc.read(libc.open({str(secret)!r}.encode(), 0), "
            "ctypes.create_string_buffer(9), 9))"
        )
        could_read = int(process.ask("cell", source=read)["output"]) > 0
        assert could_read == ("files" in found)
        assert sum(not one.enforced for one in other.protections) == len(found)


@pytest.mark.slow
@linux
def test_input_on_a_socket_signals_nobody_without_landlock(
    monkeypatch: pytest.MonkeyPatch, secret: Path
) -> None:
    """Landlock stops it since Linux 6.12, so the filter must do it before."""
    _without(monkeypatch, "Landlock")
    victim = subprocess.Popen(["sleep", "60"])
    try:
        source = _LIBC + (
            f"libc.ioctl(pair[0], 0x8901, ctypes.byref(ctypes.c_int({victim.pid})))\n"
            "libc.ioctl(pair[0], 0x5452, ctypes.byref(ctypes.c_int(1)))\n"
            "libc.write(pair[1], b'x', 1)"
        )
        with Sandbox([], [secret], Limits()) as other, other.open_process() as process:
            process.ask("cell", source=source)
        time.sleep(0.2)
        survived = victim.poll() is None
    finally:
        victim.kill()
        victim.wait()
    assert survived


@pytest.mark.slow
def test_unenforced_limits_are_reported(
    no_kernel_help, chapter_path: Path, tmp_path: Path
) -> None:
    nbformat.write(small_chapter(), tmp_path / "ada.ipynb")
    with Grader(read_chapter(chapter_path)) as grader:
        report = grader.report(read_submission("ada", tmp_path / "ada.ipynb"))
    assert report.points == 7
    assert set(report.unprotected) >= {
        "Students' code cannot read the instructor's notebook or other submissions",
        "Students' code has no network",
        "Students' code cannot start other programs",
    }


@pytest.mark.slow
def test_nothing_is_graded_without_protection_unless_the_teacher_allows_it(
    no_kernel_help, chapter_path: Path, tmp_path: Path
) -> None:
    touch = f"open({str(tmp_path / 'ran')!r}, 'w').close()"
    nbformat.write(answered(ex_1=touch), tmp_path / "ada.ipynb")
    with pytest.raises(TeachingError, match="No student's code has run yet") as caught:
        grade(chapter_path, [tmp_path / "ada.ipynb"], tmp_path / "grades")
    assert "Students' code has no network" in str(caught.value)
    assert not (tmp_path / "grades").exists()


@pytest.mark.slow
def test_audit_hook_works_without_kernel_support(
    no_kernel_help, secret: Path, tmp_path: Path
) -> None:
    attempts = {
        f"open({str(secret)!r}).read()": "not for the code of an exercise",
        f"open({str(tmp_path / 'new')!r}, 'w')": "only in its own folder",
        f"import os; os.remove({str(secret)!r})": "only in its own folder",
        f"import os; os.rename({str(secret)!r}, 'mine')": "only in its own folder",
        "import socket; socket.create_connection(('127.0.0.1', 9))": "network is off",
        "import socket; socket.getaddrinfo('example.org', 80)": "network is off",
        "import subprocess; subprocess.run(['true'])": "Other programs",
        "import os; os.system('true')": "Other programs",
        "import os; os.fork()": "Other programs",
        "import os; os.kill(os.getppid(), 9)": "Other processes",
    }
    with Sandbox([], [secret], Limits()) as sandbox, sandbox.open_process() as process:
        for attempt, sentence in attempts.items():
            assert (
                sentence in process.ask("cell", source=attempt)["error"]["message"]
            ), attempt
    assert secret.exists()


@pytest.mark.slow
def test_rooms_without_fork_are_separate_processes(
    monkeypatch: pytest.MonkeyPatch, chapter_path: Path, tmp_path: Path
) -> None:
    monkeypatch.setattr(module.sys, "platform", "darwin")
    chapter = read_chapter(chapter_path)
    chapter = replace(chapter, exercises=chapter.exercises[:1])
    with Grader(chapter) as grader:  # the reference solution has just had full points
        nbformat.write(answered(ex_1="import os; os._exit(3)"), tmp_path / "ada.ipynb")
        report = grader.report(read_submission("ada", tmp_path / "ada.ipynb"))
    assert [result.points for result in report.results] == [0]
    assert "exit code 3" in report.results[0].comment


def test_process_that_fails_to_start_gives_short_error(
    monkeypatch: pytest.MonkeyPatch, secret: Path
) -> None:
    monkeypatch.setattr(
        processes,
        "_command",
        lambda: [sys.executable, "-c", "raise SystemExit('no luck')"],
    )
    with (
        pytest.raises(SandboxError, match=r"did not start \(no luck\)"),
        Sandbox([], [secret], Limits()),
    ):
        pass
