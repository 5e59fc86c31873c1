"""`genai-tutorial agent`: a task, its trace, and a question before files change."""

import io
import sys

import pytest

from genai_tutorial.agents import ScriptedPolicy, ToolCall, write_call
from genai_tutorial.cli import agent, main

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="programs are not run on Windows"
)
WRITE = write_call(ToolCall("write_file", {"path": "a.txt", "text": "hello"}))


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    def give(task, script, typed="", *arguments):
        monkeypatch.setattr(
            agent, "load_policy", lambda toolbox: ScriptedPolicy({task: script})
        )
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        with pytest.raises(SystemExit) as caught:
            main(["agent", task, "--folder", str(tmp_path), *arguments])
        captured = capsys.readouterr()
        return caught.value.code, captured.out, captured.err

    return give


def test_agent_prints_calls_and_answer(run):
    call = write_call(ToolCall("calculator", {"expression": "12 * 12"}))
    code, output, errors = run("What is 12 times 12?", [call, "144"])
    assert (code, output) == (0, "144\n")
    assert "1. calculator(expression='12 * 12')  →  144" in errors
    assert "1 calls, 0 tokens, answered" in errors


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
    code, output, _errors = run("Say it.", ["\x1b[31mred"])
    assert (code, output) == (0, "[31mred\n")


def test_agent_ends_after_its_steps(run):
    calls = [
        write_call(ToolCall("calculator", {"expression": f"{n} + 1"})) for n in range(9)
    ]
    code, output, errors = run("Count.", calls, "", "--steps", "3")
    assert (code, output) == (0, "I could not find out.\n")
    assert "3 calls, 0 tokens, out of steps" in errors


def test_agent_refuses_an_empty_task_and_a_missing_folder(run, tmp_path, capsys):
    assert run(" ", ["x"])[0] == 2
    with pytest.raises(SystemExit) as caught:
        main(["agent", "What?", "--folder", str(tmp_path / "none")])
    assert caught.value.code == 2
    assert "is not a folder" in capsys.readouterr().err
