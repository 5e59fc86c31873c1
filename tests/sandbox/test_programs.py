"""Generated programs: each ends with its reason, and none stops the others."""

import os
import sys
import time
from pathlib import Path

import pytest

from genai_tutorial.sandbox import (
    Outcome,
    OutcomeKind,
    ProgramLimits,
    ProgramRunner,
    SandboxError,
    programs,
    run_programs,
)

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="programs are not run on Windows"
)
linux = pytest.mark.skipif(sys.platform != "linux", reason="what only Linux enforces")
_LIBC = (
    "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"
    "pair = (ctypes.c_int * 2)()\nlibc.socketpair(1, 1, 0, pair)\n"
)


@pytest.fixture(scope="module")
def runner():
    with ProgramRunner(ProgramLimits(cpu_seconds=0.2, wall_seconds=5)) as runner:
        if any(not protection.enforced for protection in runner.protections):
            assert "CI" not in os.environ
            pytest.skip("; ".join(map(str, runner.protections)))
        yield runner


def test_program_runner_enforces_all_protections_on_this_machine(runner) -> None:
    assert all(protection.enforced for protection in runner.protections)
    assert "cannot read files other than Python's own" in str(runner.protections[0])


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        ("assert sorted([2, 1]) == [1, 2]", "passed", ""),
        ("from math import gcd\nassert gcd(4, 6) == 2", "passed", ""),
        ("def f(x):\n    return x\n\nassert f(2) == 3", "wrong", "assert f(2) == 3"),
        ("x = 1  # a\x0cb\nassert x == 2", "wrong", "assert x == 2"),
        ("assert False, 'f(2) gave 2'", "wrong", "f(2) gave 2"),
        ("1 / 0", "raised", "ZeroDivisionError: division by zero"),
        ("def f(:", "raised", "SyntaxError: invalid syntax (<program>, line 1)"),
        ("f = lambda x: f(x)\nf(1)", "raised", "RecursionError"),
        ("import torch", "raised", "No module named 'torch'"),
        ("input()", "raised", "EOFError"),
        ("x = '\ud800'", "raised", "UnicodeEncodeError"),
        # what ends early has not passed
        ("import sys; sys.exit(0)", "raised", "SystemExit: 0"),
        ("import os; os._exit(0)", "raised", "before its tests did (exit code 0)"),
        ("import os; os.abort()", "raised", "before its tests did (signal 6)"),
        ("while True: pass", "out of time", "more than 0.2 s of CPU time"),
        # inside C code, where Python's own signal handlers do not run
        ("10 ** 10 ** 9", "out of time", "more than 0.2 s of CPU time"),
        (
            "while True:\n    try:\n        while True: pass\n"
            "    except BaseException: pass",
            "out of time",
            "more than 0.2 s",
        ),
        ("x = bytearray(10 << 30)", "out of memory", "more than 256 MiB of memory"),
        ("x = []\nwhile True: x.append(bytes(9999999))", "out of memory", "256 MiB"),
        ("import mmap; mmap.mmap(-1, 600 << 20)", "out of memory", "256 MiB"),
        ("open('/etc/passwd')", "forbidden", "it tried to read /etc/passwd"),
        ("import os; os.open('/etc/passwd', 0)", "forbidden", "read /etc/passwd"),
        ("open('out.txt', 'w')", "forbidden", "it tried to write to out.txt"),
        ("import tempfile; tempfile.TemporaryFile()", "forbidden", "write to"),
        ("import os; os.fork()", "forbidden", "start a process (os.fork)"),
        ("import os; os.system('ls')", "forbidden", "start a process (os.system)"),
        ("import os; os.kill(os.getppid(), 9)", "forbidden", "send a signal"),
        ("import os; os.remove('/etc/passwd')", "forbidden", "change a file"),
        ("import os; os.utime('/etc/passwd')", "forbidden", "change a file"),
        ("import socket; socket.socket()", "forbidden", "use the network"),
        (
            "import urllib.request as r; r.urlopen('http://127.0.0.1')",
            "forbidden",
            "use the network (urllib.Request)",
        ),
        # an attempt counts even if the exception is caught
        (
            "try:\n    open('/etc/passwd')\nexcept Exception: pass",
            "forbidden",
            "it tried to read /etc/passwd",
        ),
    ],
)
def test_program_ends_with_its_reason(runner, source, kind, message) -> None:
    outcome = runner.run([source])[0]
    assert (outcome.kind, outcome.passed) == (kind, kind == "passed")
    assert message in outcome.message


@linux
@pytest.mark.parametrize(
    "attempt",
    [
        "libc.open(b'/etc/passwd', 0)",
        "libc.open(b'/tmp/new', 0o101, 0o644)",
        "libc.open(b'/proc/%d/environ' % os.getppid(), 0)",
        "libc.fork()",
        "libc.socket(2, 1, 0)",
        "libc.kill(os.getppid(), 9)",
        "libc.execv(b'/bin/true', (ctypes.c_char_p * 2)(b'true', None))",
        "libc.memfd_create(b'hidden', 0)",
        "libc.semget(0, 1, 0o1666)",
        "libc.inotify_init1(0)",
        "libc.utimensat(-100, b'/etc/passwd', None, 0)",
        "libc.ioctl(pair[0], 0x8901, ctypes.byref(ctypes.c_int(os.getppid())))",
    ],
)
def test_kernel_stops_programs_below_the_audit_hook(runner, attempt) -> None:
    assert runner.run([_LIBC + f"assert {attempt} == -1"])[0].passed


@pytest.mark.slow
def test_program_cannot_remove_its_time_limit() -> None:
    source = (
        "import signal\nsignal.setitimer(signal.ITIMER_PROF, 0)\n"
        "signal.signal(signal.SIGPROF, signal.SIG_IGN)\nwhile True: pass"
    )
    outcome = run_programs([source], ProgramLimits(cpu_seconds=0.1, wall_seconds=30))[0]
    assert outcome.kind == "out of time"
    assert 0.9 < outcome.cpu_seconds < 1.5


@pytest.mark.slow
def test_program_that_waits_is_stopped_by_the_clock() -> None:
    limits = ProgramLimits(wall_seconds=0.3)
    before = time.monotonic()
    outcome = run_programs(["import time; time.sleep(60)"], limits)[0]
    assert (outcome.kind, outcome.message) == (
        "out of time",
        "it was still waiting after 0.3 s",
    )
    assert time.monotonic() - before < 20


def test_program_cannot_answer_in_the_workers_place(runner) -> None:
    forged = (
        "import json, os\nfor number in range(3, 300):\n    try:\n"
        "        os.write(number, json.dumps({'kind': 'passed', 'message': '', "
        "'cpu_seconds': 0}).encode() + b'\\n')\n    except OSError: pass\n"
    )
    for ending in ("os._exit(0)", "assert False"):
        outcome, after = runner.run([forged + ending, "assert True"])
        assert not outcome.passed
        assert after.passed


@pytest.mark.parametrize("kind", ["banana", "out of time", ["passed"]])
def test_program_with_the_token_cannot_report_an_unknown_outcome(runner, kind) -> None:
    forged = (
        "import json, os, sys\nframe = sys._getframe()\n"
        "while 'token' not in frame.f_locals: frame = frame.f_back\n"
        "names = frame.f_locals\n"
        f"reply = {{'token': names['token'], 'kind': {kind!r}}}\n"
        "reply |= {'message': '', 'output': ''}\n"
        "os.write(names['report'], json.dumps(reply).encode())\nos._exit(0)"
    )
    outcome, after = runner.run([forged, "assert True"])
    assert outcome.kind == "raised"
    assert after.passed


def test_program_cannot_fill_the_workers_memory(runner) -> None:
    flood = (
        "import os\nfor number in range(3, 300):\n    try:\n"
        "        while True: os.write(number, bytes(1 << 16))\n"
        "    except OSError: pass\n"
    )
    outcome, after = runner.run([flood, "assert True"])
    assert outcome.kind in ("raised", "out of time")
    assert after.passed


def test_programs_keep_their_order_and_share_no_state(runner) -> None:
    sources = [
        "import math; math.pi = 3",
        "import os; os._exit(1)",
        "while True: pass",
        "import math; assert math.pi > 3.1",
        "assert list({'a', 'b', 'c'}) == list({'a', 'b', 'c'})",
    ]
    kinds = [outcome.kind for outcome in runner.run(sources)]
    assert kinds == ["passed", "raised", "out of time", "passed", "passed"]
    random = "import random; assert False, random.random()"
    assert len({outcome.message for outcome in runner.run([random] * 3)}) == 1


def test_programs_do_not_see_environment_variables(runner, monkeypatch) -> None:
    monkeypatch.setenv("GENAI_TUTORIAL_KEY", "abc")
    source = "import os; assert 'GENAI_TUTORIAL_KEY' not in os.environ"
    assert run_programs([source])[0].passed


def test_program_runner_survives_the_end_of_its_worker() -> None:
    with ProgramRunner() as runner:
        runner._worker.kill()
        runner._worker.wait()
        lost, after = runner.run(["assert True", "assert True"])
    assert (lost.passed, after.passed) == (False, True)


def test_program_runner_measures_cpu_time_not_time_on_the_clock(runner) -> None:
    source = "import time\nend = time.process_time() + 0.1\n"
    busy, idle = runner.run(
        [
            source + "while time.process_time() < end: pass",
            "import time; time.sleep(0.1)",
        ]
    )
    assert busy.cpu_seconds > 0.09
    assert idle.cpu_seconds < 0.05


def test_program_runner_refuses_to_score_where_it_does_not_work(monkeypatch) -> None:
    def always_passes(self, sources):
        return [Outcome(OutcomeKind.PASSED, "", 0.0) for _ in sources]

    monkeypatch.setattr(ProgramRunner, "run", always_passes)
    with pytest.raises(SandboxError, match="no score would mean anything"):
        run_programs(["assert True"])


def test_program_runner_explains_a_system_without_fork(monkeypatch) -> None:
    monkeypatch.delattr(os, "fork")
    with pytest.raises(SandboxError, match="Use Linux, WSL 2 on Windows, or macOS"):
        run_programs(["assert True"])


def test_program_runner_explains_a_worker_that_does_not_start(monkeypatch) -> None:
    monkeypatch.setattr(programs, "_START", "raise SystemExit('no luck')")
    with pytest.raises(SandboxError, match=r"did not start \(no luck\)"):
        run_programs(["assert True"])


@linux
def test_program_runner_warns_of_what_is_not_enforced(monkeypatch) -> None:
    without = programs._START.replace(
        "program_worker.main()",
        "program_worker.linux.confine = lambda *a: (False, False)\n"
        "program_worker.linux.enter_namespaces = lambda *a: False\n"
        "program_worker.main()",
    )
    monkeypatch.setattr(programs, "_START", without)
    with pytest.warns(UserWarning, match="Not enforced on this system: A program"):
        outcome = run_programs(["open('/etc/passwd')"])[0]
    assert outcome.kind == "forbidden"  # the audit hook still refuses


def test_program_runner_rejects_wrong_arguments(runner) -> None:
    with pytest.raises(ValueError, match="Open the runner first"):
        ProgramRunner().run(["assert True"])
    with pytest.raises(ValueError, match="got one string"):
        runner.run("assert True")
    with pytest.raises(ValueError, match="cpu_seconds must be positive, got 0"):
        ProgramLimits(cpu_seconds=0)


def test_program_worker_needs_only_the_standard_library() -> None:
    """The worker must stay small, or forking it becomes slow."""
    source = Path(programs.__file__).with_name("program_worker.py").read_text()
    assert "from . import guard, linux" in source
    outcome = run_programs(
        ["import sys\nassert not {'torch', 'numpy', 'asyncio'} & set(sys.modules)"]
    )[0]
    assert outcome.passed


@pytest.mark.slow
def test_program_runner_runs_500_programs_in_seconds(runner) -> None:
    outcomes = runner.run(["assert sum([1, 2]) == 3"] * 500)
    assert all(outcome.passed for outcome in outcomes)
    assert sum(outcome.cpu_seconds for outcome in outcomes) < 10


@pytest.mark.parametrize(
    ("source", "output"),
    [
        ("print(6 * 7)", "42\n"),
        ("print('a')\n1 / 0", "a\n"),
        ("import sys\nsys.stdout.write('b')", "b"),
        ("x = 1", ""),
    ],
)
def test_program_output_is_kept(runner, source, output) -> None:
    (outcome,) = runner.run([source])
    assert outcome.output == output


def test_program_output_is_kept_up_to_a_limit(runner) -> None:
    (outcome,) = runner.run(["print('x' * 9_000)"])
    assert outcome.passed
    assert outcome.output.endswith("... and 1,001 more characters")
    assert len(outcome.output) < 8_100
