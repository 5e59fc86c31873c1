"""Thirty programs try to leave the sandbox, and none does."""

import os
import socket
import subprocess
import sys
from collections import Counter

import pytest

from genai_tutorial.sandbox import ProgramLimits, ProgramRunner
from genai_tutorial.tasks.tool_use import ESCAPES, got_out, try_escapes

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="what only Linux enforces"),
]


LIMITS = ProgramLimits(cpu_seconds=0.5, memory=128 << 20, wall_seconds=5)


@pytest.fixture
def outside(tmp_path):
    """A file, a folder and a port outside the sandbox."""
    secret = tmp_path / "secret.py"
    secret.write_text("secret = 1\n")
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield secret, tmp_path, server.getsockname()[1]


@pytest.fixture
def runner():
    with ProgramRunner(LIMITS) as runner:
        if any(not protection.enforced for protection in runner.protections):
            assert "CI" not in os.environ
            pytest.skip("; ".join(map(str, runner.protections)))
        yield runner


def test_no_escape_succeeds(runner, outside):
    secret, folder, port = outside
    found = try_escapes(runner, secret, folder, port)
    assert len(found) == 30
    assert [escape.name for escape, outcome in found if got_out(outcome)] == []
    assert [escape.name for escape, outcome in found if outcome.passed] == []
    assert list(folder.iterdir()) == [secret]
    assert secret.read_text() == "secret = 1\n"


def test_sandbox_still_works_after_all_escapes(runner, outside):
    try_escapes(runner, *outside)
    (outcome,) = runner.run(["print('ESCAPED' if 6 * 7 == 42 else '')"])
    assert outcome.passed
    assert got_out(outcome)  # so the word would have been seen


@pytest.mark.parametrize(
    "escape", [e for e in ESCAPES if e.works_outside], ids=lambda escape: escape.name
)
def test_escape_works_in_plain_python(escape, outside):
    """Otherwise its failure in the sandbox would mean nothing."""
    program = escape.program(*outside)
    done = subprocess.run(
        [sys.executable, "-I", "-c", program],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "ESCAPED" in done.stdout


def test_escapes_are_of_all_kinds():
    kinds = Counter(escape.kind for escape in ESCAPES)
    assert kinds["files"] >= 8
    assert set(kinds) == {
        "files", "network", "processes", "other processes", "resources", "controls",
    }  # fmt: skip
    assert sum(escape.works_outside for escape in ESCAPES) >= 20
