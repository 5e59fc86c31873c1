"""The tools of a coding agent: exact replacement, appending, and a run of the tests."""

import ast
import random
import sys

import pytest

from genai_tutorial.agents import (
    TESTS_FILE,
    FileJail,
    Toolbox,
    ToolCall,
    ToolError,
    allow_all,
    editing_tools,
    replace_once,
    run_tests_tool,
    smallest_edit,
)
from genai_tutorial.agents.wrappers import with_consent
from genai_tutorial.sandbox import ProgramLimits, ProgramRunner

TEXT = "def f(x):\n    y = x\n    return y\n\n\ndef g(x):\n    y = x\n    return -y\n"
unix = pytest.mark.skipif(
    sys.platform == "win32", reason="programs are not run on Windows"
)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("z = x", "z = 2", "does not occur"),
        ("    y = x\n", "    y = 2\n", "occurs 2 times"),
        ("return y", "return y", "would change"),
        ("", "y", "is empty"),
    ],
)
def test_edit_refuses_what_is_not_unique_and_changes_nothing(
    tmp_path, old, new, message
):
    jail = FileJail(tmp_path)
    jail.write("a.py", TEXT)
    edit, _ = editing_tools(jail)
    result = edit.call({"path": "a.py", "old": old, "new": new})
    assert result.is_error
    assert message in result.text
    assert jail.read("a.py") == TEXT
    assert jail.files() == ["a.py"]


def test_edit_counts_overlapping_places():
    with pytest.raises(ToolError, match="occurs 2 times"):
        replace_once("aaa", "aa", "b")


def test_edit_changes_one_place_and_keeps_the_rest(tmp_path):
    jail = FileJail(tmp_path)
    jail.write("a.py", TEXT)
    edit, _ = editing_tools(jail)
    assert edit.call({"path": "a.py", "old": "return y", "new": "return 2 * y"}).text
    assert jail.read("a.py") == TEXT.replace("return y", "return 2 * y")
    assert edit.call({"path": "../a.py", "old": "a", "new": "b"}).is_error


def test_edit_that_cannot_be_written_leaves_the_file_whole(tmp_path, monkeypatch):
    jail = FileJail(tmp_path)
    jail.write("a.py", TEXT)

    def fail(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr("os.replace", fail)
    edit, _ = editing_tools(jail)
    assert edit.call({"path": "a.py", "old": "return y", "new": "return 2"}).is_error
    assert (tmp_path / "a.py").read_text() == TEXT
    assert jail.files() == ["a.py"]


def test_editing_tools_ask_first(tmp_path):
    jail = FileJail(tmp_path)
    jail.write("a.txt", "one")
    toolbox = Toolbox(editing_tools(jail))
    calls = [
        ToolCall("edit_file", {"path": "a.txt", "old": "one", "new": "two"}),
        ToolCall("append_file", {"path": "a.txt", "text": "two"}),
    ]
    for call in calls:
        assert with_consent(toolbox, lambda call: False).call(call).is_error
        assert jail.read("a.txt") == "one"
    for call in calls:
        assert not with_consent(toolbox, allow_all).call(call).is_error
    assert jail.read("a.txt") == "two\ntwo\n"


@pytest.mark.parametrize("before", ["milk\neggs\n", "milk\neggs"])
@pytest.mark.parametrize("line", ["butter", "butter\n"])
def test_append_adds_a_line_of_its_own(tmp_path, before, line):
    jail = FileJail(tmp_path)
    jail.write("list.txt", before)
    _, append = editing_tools(jail)
    append.call({"path": "list.txt", "text": line})
    append.call({"path": "new.txt", "text": line})
    assert jail.read("list.txt") == "milk\neggs\nbutter\n"
    assert jail.read("new.txt") == "butter\n"


def test_smallest_edit_leads_from_one_text_to_the_other():
    draws = random.Random(0)
    for _ in range(300):
        before, after = (
            "".join(draws.choices(["a\n", "b\n", "c\n", "\n"], k=draws.randint(1, 9)))
            for _ in range(2)
        )
        before += draws.choice(["", "end"])
        if before == after:
            continue
        old, new = smallest_edit(before, after)
        assert replace_once(before, old, new) == after


def test_smallest_edit_is_no_larger_than_it_must():
    after = TEXT.replace("return -y", "return +y")
    assert smallest_edit(TEXT, after) == ("    return -y\n", "    return +y\n")
    old, _ = smallest_edit(TEXT, TEXT.replace("y = x", "y = 2", 1))
    assert old == "def f(x):\n    y = x\n"
    with pytest.raises(ValueError, match="nothing to replace"):
        smallest_edit(TEXT, TEXT)


@pytest.mark.slow
@unix
def test_run_tests_tool_lists_the_tests_that_fail(tmp_path):
    jail = FileJail(tmp_path)
    jail.write("a.py", "def f(x):\n    return 2 * x\n")
    jail.write("b.py", "from a import f\n\ndef g(x):\n    return f(x) + 1\n")
    jail.write("notes.txt", "no program")
    jail.write(
        TESTS_FILE, "import a\nimport b\nassert a.f(2) == 4\nassert b.g(1) == 3\n"
    )
    with ProgramRunner(ProgramLimits(cpu_seconds=0.5)) as runner:
        run_tests = run_tests_tool(jail, runner)
        assert run_tests.call({}).text == "All 2 tests pass."
        jail.write("b.py", "from a import f\n\ndef g(x):\n    return f(x) + y\n")
        assert run_tests.call({}).text == (
            "1 of 2 tests fail:\nassert b.g(1) == 3  # NameError"
        )
        jail.write("b.py", "def g(x)\n")
        assert "import b  # SyntaxError" in run_tests.call({}).text
        jail.write("b.py", "while True: pass")
        assert "stopped (out of time)" in run_tests.call({}).text
        jail.write(TESTS_FILE, "assert (")
        assert "not a Python program" in run_tests.call({}).text
        jail.delete(TESTS_FILE)
        assert "does not exist" in run_tests.call({}).text


@unix
def test_run_tests_tool_runs_in_the_sandbox(tmp_path):
    jail = FileJail(tmp_path)
    victim = tmp_path / "victim.txt"
    victim.write_text("kept")
    jail.write("a.py", f"open({str(victim)!r}, 'w')\n")
    jail.write(TESTS_FILE, "import a\nassert True\n")
    with ProgramRunner() as runner:
        result = run_tests_tool(jail, runner).call({})
    assert "All" not in result.text
    assert victim.read_text() == "kept"
    assert ast.parse(jail.read(TESTS_FILE))
