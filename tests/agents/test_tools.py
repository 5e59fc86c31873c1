"""Tools and toolboxes: whatever happens, a call ends in a result."""

import pytest

from genai_tutorial.agents import Tool, Toolbox, ToolCall, ToolError
from genai_tutorial.agents.tools import ToolResult


def half(n: int) -> float:
    """Halve an even number."""
    if n % 2:
        raise ToolError(f"{n} is odd.")
    if n > 100:
        raise RuntimeError("a secret of the machine")
    return n / 2


def square(n: int) -> int:
    """Square a number."""
    return n * n


BOX = Toolbox((Tool.from_function(half), Tool.from_function(square)))


@pytest.mark.parametrize(
    ("name", "arguments", "result"),
    [
        ("half", {"n": 8}, ToolResult("4.0")),
        ("half", {"n": 3}, ToolResult("Error: 3 is odd.", True)),
        ("half", {}, ToolResult("Error: n is missing.", True)),
        (
            "half",
            {"n": "8"},
            ToolResult("Error: n must be of type integer, got '8'.", True),
        ),
        (
            "third",
            {"n": 3},
            ToolResult(
                "Error: there is no tool 'third'; there are: half, square.", True
            ),
        ),
    ],
)
def test_toolbox_call_returns_a_result(name, arguments, result):
    assert BOX.call(ToolCall(name, arguments)) == result


def test_tool_call_does_not_show_the_message_of_an_unexpected_exception():
    result = BOX.call(ToolCall("half", {"n": 102}))
    assert result == ToolResult("Error: half failed with RuntimeError.", True)


class Mute(ToolError):
    """An error that cannot be told."""

    def __str__(self):
        raise RuntimeError


def raising(error):
    def fail(**arguments):
        raise error

    return fail


CIRCULAR: list = []
CIRCULAR.append(CIRCULAR)
ONE = {"properties": {"n": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("schema", "arguments", "function", "text"),
    [
        ({"type": "object"}, {}, dict, "{}"),
        ({"type": "object", "additionalProperties": False}, {}, dict, "{}"),
        ({}, {"n": 3}, dict, '{"n": 3}'),
        ({"properties": {"n": {"anyOf": [{"type": "null"}]}}}, {"n": 3}, dict, None),
        ({"properties": {"n": {"$ref": "#/x"}}}, {"n": 3}, dict, None),
        ({"properties": {"n": {"type": ["integer", "null"]}}}, {"n": 3}, dict, None),
        ({"properties": {"n": {"type": "object"}}}, {"n": {"a": 1}}, dict, None),
        ({"properties": {"n": {"type": "null"}}}, {"n": None}, dict, None),
        ({"properties": {"n": {"type": "array"}}}, {"n": [1]}, dict, None),
        ({"properties": {"n": {"type": "date"}}}, {"n": 1}, dict, None),
        ({"properties": {"n": {"type": [[]]}}}, {"n": 1}, dict, None),
        ({"properties": {"n": True}, "required": None}, {"n": 1}, dict, None),
        ({"properties": {"n": {"enum": [1, 2]}}}, {"n": 1}, dict, None),
        ({"properties": {"n": {"type": ["integer", "null"]}}}, {"n": "3"}, dict,
         "Error: n must be of type integer or null, got '3'."),
        ({"properties": {"n": {"enum": [1, 2]}}}, {"n": 3}, dict,
         "Error: n must be one of 1, 2; got 3."),
        ({"type": "object", "additionalProperties": False}, {"n": 3}, dict,
         "Error: there is no argument 'n'; there are: none."),
        ({"properties": 7}, {"n": 3}, dict, "Error: odd failed with TypeError."),
        (ONE, "text", dict, "Error: odd failed with ValueError."),
        (ONE, None, dict, "Error: odd failed with TypeError."),
        (ONE, {}, lambda: {1, 2}, "Error: odd failed with TypeError."),
        (ONE, {}, lambda: b"bytes", "Error: odd failed with TypeError."),
        (ONE, {}, lambda: CIRCULAR, "Error: odd failed with ValueError."),
        (ONE, {}, raising(Mute()), "Error: odd failed with Mute."),
        (ONE, {}, raising(SystemExit(3)), "Error: odd failed with SystemExit."),
        (ONE, {}, raising(ToolError("caf\udce9")), "Error: caf?"),
        (ONE, {}, lambda: "caf\udce9.txt", "caf?.txt"),
    ],
)  # fmt: skip
def test_tool_call_never_raises(schema, arguments, function, text):
    """Whatever the schema, the arguments, the result or the error; None for whatever is
    no error.
    """
    result = Tool("odd", "", schema, function).call(arguments)
    assert result.is_error == (text is not None and text.startswith("Error"))
    assert text in (None, result.text)


def test_tool_call_cuts_long_results():
    text = Tool("long", "", {}, lambda: "word " * 20_000).call({}).text
    assert text.startswith("word word")
    assert text.endswith("(the first 4,000 of 100,000 characters)")
    assert len(text) < 4_100


def test_toolbox_only_is_an_allow_list():
    box = BOX.only(["square"])
    assert box.names == ("square",)
    assert box.call(ToolCall("half", {"n": 8})).is_error
    with pytest.raises(ValueError, match=r"no tools \['third'\]"):
        BOX.only(["third"])


def test_toolbox_refuses_two_tools_of_one_name():
    with pytest.raises(ValueError, match="different names"):
        Toolbox((Tool.from_function(half), Tool.from_function(half)))


def test_tool_needs_a_docstring():
    def silent(n: int) -> int:
        return n

    with pytest.raises(ValueError, match="silent needs a docstring"):
        Tool.from_function(silent)
