"""Tools and toolboxes: whatever happens, a call ends in a result."""

import pytest

from genai_tutorial.agents import Tool, Toolbox, ToolCall, ToolError, ToolResult


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


def test_tool_specification_describes_it():
    assert BOX["square"].specification == {
        "name": "square",
        "description": "Square a number.",
        "parameters": {
            "type": "object",
            "properties": {"n": {"type": "integer"}},
            "required": ["n"],
        },
    }
