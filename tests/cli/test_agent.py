"""`genai-tutorial agent`: a task, its trace, and a question before files change."""

import io
import os
import sys

import pytest

from genai_tutorial.agents import ScriptedPolicy, ToolCall, write_call
from genai_tutorial.cli import agent
from genai_tutorial.tasks.code import (
    RepairPolicy,
    draw_repositories,
    reversed_mutations,
)

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="programs are not run on Windows"
)
WRITE = write_call(ToolCall("write_file", {"path": "a.txt", "text": "hello"}))


@pytest.fixture
def run(command, monkeypatch, tmp_path):
    def give(task, script, typed="", *arguments):
        monkeypatch.setattr(
            agent, "load_policy", lambda toolbox: ScriptedPolicy({task: script})
        )
        return command("agent", task, "--folder", tmp_path, *arguments, typed=typed)

    return give


def test_agent_prints_calls_and_answer(run):
    call = write_call(ToolCall("calculator", {"expression": "12 * 12"}))
    code, output, errors = run("What is 12 times 12?", [call, "144"])
    assert (code, output) == (0, "144\n")
    assert "1. calculator(expression='12 * 12')  →  144" in errors
    assert "1 call, 0 tokens, answered" in errors


@pytest.mark.parametrize(
    ("typed", "written"), [("y\n", True), ("\n", False), ("", False)]
)
def test_agent_asks_before_it_writes(run, tmp_path, typed, written):
    code, _output, errors = run("Write hello.", [WRITE, "done"], typed)
    assert code == 0
    assert "wants to call write_file(path='a.txt', text='hello'). Allow it?" in errors
    assert (tmp_path / "a.txt").exists() == written
    assert ("the user did not allow this" in errors) != written


def test_agent_output_cannot_control_the_terminal(run):
    code, output, _errors = run("Say it.", ["\x1b[31mred \u202eder"])
    assert (code, output) == (0, "[31mred der\n")


def test_agent_ends_after_its_steps(run):
    calls = [
        write_call(ToolCall("calculator", {"expression": f"{n} + 1"})) for n in range(9)
    ]
    code, output, errors = run("Count.", calls, "", "--steps", "3")
    assert (code, output) == (1, "I could not find out.\n")
    assert "3 calls, 0 tokens, out of steps" in errors


def test_agent_that_is_stuck_fails(run):
    call = write_call(ToolCall("calculator", {"expression": "1 + 1"}))
    code, output, errors = run("Count.", [call])
    assert (code, output) == (1, "I could not find out.\n")
    assert "3 calls, 0 tokens, stuck" in errors


@pytest.mark.parametrize(
    ("before", "note"),
    [
        ("milk\neggs\nbread\n", "'a.txt' exists (3 lines) and would be replaced."),
        ("milk", "'a.txt' exists (1 line) and would be replaced."),
        (b"\xff\xfe", "'a.txt' exists and would be replaced."),
        (None, ""),
    ],
)
def test_agent_says_that_a_file_would_be_replaced(run, tmp_path, before, note):
    if before is not None:
        raw = before if isinstance(before, bytes) else before.encode()
        (tmp_path / "a.txt").write_bytes(raw)
    _code, _output, errors = run("Write hello.", [WRITE, "done"])
    assert f"text='hello'). {note}".strip() + " Allow it? [y/N]" in errors
    assert ("would be replaced" in errors) == bool(note)


def test_agent_prints_calls_as_they_happen(run, monkeypatch):
    first = write_call(ToolCall("calculator", {"expression": "1 + 1"}))
    shown = []

    class Watching(ScriptedPolicy):
        def replies(self, conversations):
            shown.append(sys.stderr.getvalue())
            return super().replies(conversations)

    monkeypatch.setattr(agent, "note", lambda text: print(text, file=sys.stderr))
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    policy = Watching({"Add.": [first, "2"]})
    monkeypatch.setitem(globals(), "ScriptedPolicy", lambda scripts: policy)
    run("Add.", [])
    assert shown[0] == ""
    assert "1. calculator(expression='1 + 1')  →  2" in shown[1]


def test_agent_reads_files_longer_than_the_context(run, tmp_path):
    (tmp_path / "big.txt").write_text("word " * 18_000)
    read = write_call(ToolCall("read_file", {"path": "big.txt"}))
    code, _output, errors = run("Read it.", [read, "done"])
    assert code == 0
    assert "of 90,000 characters)" in errors or "of 89,999 characters)" in errors


@pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes there")
def test_agent_lists_files_whose_names_are_no_text(run, tmp_path):
    os.close(os.open(os.fsencode(tmp_path) + b"/caf\xe9.txt", os.O_CREAT))
    listing = write_call(ToolCall("list_files", {}))
    code, _output, errors = run("List all files.", [listing, "done"])
    assert code == 0
    assert "caf?.txt" in errors


def test_agent_refuses_a_wrong_task_before_it_loads_a_model(error_line, monkeypatch):
    monkeypatch.setitem(sys.modules, "genai_tutorial.cli.agent", None)
    for task in ("", " ", "x" * 301):
        assert "A task has from 1 to 300 characters" in error_line(2, "agent", task)


def test_agent_refuses_a_missing_folder(error_line, tmp_path):
    line = error_line(2, "agent", "What?", "--folder", tmp_path / "none")
    assert "is not a folder" in line


def test_agent_can_append_and_edit(run, tmp_path):
    (tmp_path / "a.txt").write_text("milk\neggs\n")
    calls = [
        write_call(ToolCall("append_file", {"path": "a.txt", "text": "bread"})),
        write_call(
            ToolCall("edit_file", {"path": "a.txt", "old": "eggs", "new": "tea"})
        ),
    ]
    code, _output, errors = run("Change it.", [*calls, "done"], "y\ny\n")
    assert code == 0
    assert (tmp_path / "a.txt").read_text() == "milk\ntea\nbread\n"
    assert "would be replaced" not in errors


@pytest.mark.parametrize(
    ("task", "after"),
    [
        ("Add hello to a.txt.", "milk\nhello\n"),
        ("Append hello to a.txt.", "milk\nhello\n"),
        ("Write the address into a.txt.", "hello"),
    ],
)
def test_agent_appends_where_the_task_says_so(run, tmp_path, task, after):
    (tmp_path / "a.txt").write_text("milk\n")
    code, _output, errors = run(task, [WRITE, "done"], "y\n")
    assert code == 0
    assert (tmp_path / "a.txt").read_text() == after
    assert ("append_file(path='a.txt', text='hello')" in errors) == ("milk" in after)


@pytest.mark.parametrize("path", ["a.txt", "../a.txt", "", 7])
def test_agent_appends_only_to_a_file_that_is_there(run, tmp_path, path):
    call = ToolCall("write_file", {"path": path, "text": "hello"})
    code, _output, errors = run("Add hello.", [write_call(call), "done"], "y\n")
    assert code == 0
    assert "append_file" not in errors
    assert (tmp_path / "a.txt").exists() == (path == "a.txt")


@pytest.fixture
def repair(command, monkeypatch, tmp_path):
    def give(typed, *arguments):
        monkeypatch.setattr(
            agent, "load_repairer", lambda: RepairPolicy(reversed_mutations)
        )
        arguments = ("--folder", tmp_path, "--repair", "--steps", "20", *arguments)
        return command("agent", "Make the tests pass.", *arguments, typed=typed)

    return give


@pytest.mark.slow
def test_agent_repairs_a_planted_fault(repair, tmp_path):
    code, output, errors = repair("y\n" * 9)
    assert (code, output) == (0, "All 24 tests pass.\n")
    assert "was empty and has a small repository with a planted fault now" in errors
    assert "wants to call edit_file(path=" in errors
    code, output, errors = repair("")
    assert (code, output) == (0, "All 24 tests pass.\n")
    assert "was empty" not in errors


def test_agent_that_may_not_repair_fails_and_changes_nothing(repair, tmp_path):
    code, output, _errors = repair("n\n")
    assert (code, output) == (1, "I could not find out.\n")
    (repository,) = draw_repositories(1, seed=0, has_docstrings=False)
    kept = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert kept == repository.files


def test_agent_repairs_only_folders_with_tests(repair, tmp_path):
    (tmp_path / "a.txt").write_text("milk\n")
    code, output, errors = repair("")
    assert (code, output) == (1, "I could not find out.\n")
    assert "'tests.py' does not exist" in errors
