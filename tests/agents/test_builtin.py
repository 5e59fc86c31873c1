"""The chapter's tools."""

import sys

import pytest

from genai_tutorial.agents import (
    FileJail,
    Tool,
    Toolbox,
    ToolCall,
    ToolError,
    calculator,
    count_letters,
    file_tools,
    lookup_tool,
    python_tool,
    search_tool,
)
from genai_tutorial.agents.builtin import shown_value
from genai_tutorial.data import Fact
from genai_tutorial.retrieval import Passage
from genai_tutorial.sandbox import ProgramLimits, ProgramRunner

FACTS = [
    Fact("Latvia", "capital", "Riga"),
    Fact("Latvia", "domain", ".lv"),
    Fact("Lithuania", "capital", "Vilnius"),
]


@pytest.mark.parametrize(
    "expression", ["2 + 3 * 4", "(2 + 3) * -4", "1 / 3", "17 // 5 + 17 % 5"]
)
def test_calculator_computes_as_python_does(expression):
    assert calculator(expression) == str(eval(expression))
    assert calculator("8 / 2") == "4"  # a whole number as such


REFUSED = ("", "2 +", "x + 1", "__import__('os').system('true')", "().__class__")
REFUSED += ("9 ** 9 ** 9", "True + 1", "1 / 0", "10 " * 60, f"{'9' * 60} * {'9' * 30}")


@pytest.mark.parametrize("expression", REFUSED)
def test_calculator_refuses_what_is_not_arithmetic(expression):
    with pytest.raises(ToolError):
        calculator(expression)


def test_count_letters_counts_letters_only():
    assert count_letters("book-keeper 2") == "10"


def test_lookup_tool_finds_facts_and_names_the_nearest_country():
    tool = lookup_tool(FACTS)
    assert tool.call({"country": "latvia", "field": "capital"}).text == "Riga"
    wrong = tool.call({"country": "Latvian", "field": "capital"})
    assert wrong.is_error
    assert "The nearest are: Latvia" in wrong.text
    absent = tool.call({"country": "Lithuania", "field": "domain"})
    assert absent.text == "Error: the domain of Lithuania is not listed."
    assert tool.call({"country": "Latvia", "field": "anthem"}).is_error


def test_file_tools_need_consent_to_write_and_delete(tmp_path):
    tools = {tool.name: tool for tool in file_tools(FileJail(tmp_path))}
    assert {name for name, tool in tools.items() if tool.needs_consent} == {
        "write_file",
        "delete_file",
    }
    assert tools["list_files"].call({}).text == "There are no files."
    tools["write_file"].call({"path": "a.txt", "text": "one\ntwo\n"})
    assert tools["list_files"].call({}).text == "a.txt"
    assert tools["count_lines"].call({"path": "a.txt"}).text == "2"
    assert tools["read_file"].call({"path": "a.txt"}).text == "one\ntwo"
    assert tools["read_file"].call({"path": "../a.txt"}).is_error
    tools["delete_file"].call({"path": "a.txt"})
    assert list(tmp_path.iterdir()) == []


def test_search_tool_finds_the_passage_or_nothing():
    tool = search_tool([Passage("Riga is in Latvia.", "a"), Passage("It rains.", "b")])
    assert tool.call({"query": "Where is Riga?"}).text == "Riga is in Latvia."
    assert tool.call({"query": "xyz"}).text == "Error: nothing was found."


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("x = 2\nx + 3", "x = 2\nprint(x + 3)"),
        ("print(2)", "print(2)"),
        ("def f(:", "def f(:"),
        ("", ""),
    ],
)
def test_shown_value_prints_the_last_expression(code, shown):
    assert shown_value(code) == shown


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="programs are not run on Windows")
def test_python_tool_runs_in_the_sandbox(tmp_path):
    with ProgramRunner(ProgramLimits(cpu_seconds=0.5, wall_seconds=5)) as runner:
        box = Toolbox((python_tool(runner),))

        def run(code):
            return box.call(ToolCall("run_python", {"code": code}))

        assert run("print(6 * 7)").text == "42"
        assert run("x = 3\nx ** 2").text == "9"
        assert run("x = 3").text == "The code printed nothing."
        assert "ZeroDivisionError" in run("1 / 0").text
        assert "(forbidden)" in run(f"open({str(tmp_path / 'x')!r}, 'w')").text
        assert "(out of time)" in run("while True: pass").text
        assert run("1 / 0").is_error
    assert list(tmp_path.iterdir()) == []


def test_builtin_tools_have_descriptions_for_every_argument(tmp_path):
    tools = [
        Tool.from_function(calculator),
        Tool.from_function(count_letters),
        lookup_tool(FACTS),
        *file_tools(FileJail(tmp_path)),
        search_tool([Passage("a", "b")]),
    ]
    for tool in tools:
        for name, schema in tool.parameters["properties"].items():
            assert schema["description"], (tool.name, name)
