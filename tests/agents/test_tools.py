"""Tools: schemas from signatures, the check of arguments, and calls, which end in a
result whatever happens.
"""

from typing import Literal

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genai_tutorial.agents import (
    Tool,
    Toolbox,
    ToolCall,
    ToolError,
    ToolResult,
    tool_schema,
)
from genai_tutorial.agents.tools import check_arguments


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
    ("name", "arguments", "text"),
    [
        ("half", {"n": 8}, "4.0"),
        ("half", {"n": 3}, "Error: 3 is odd."),
        ("half", {}, "Error: n is missing."),
        ("half", {"n": "8"}, "Error: n must be of type integer, got '8'."),
        # the message of an unexpected exception is not shown
        ("half", {"n": 102}, "Error: half failed with RuntimeError."),
        ("third", {}, "Error: there is no tool 'third'; there are: half, square."),
    ],
)
def test_toolbox_call_returns_a_result(name, arguments, text):
    is_error = text.startswith("Error")
    assert BOX.call(ToolCall(name, arguments)) == ToolResult(text, is_error)


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


def order(
    item: str,
    numbers: list[int],
    count: int = 1,
    size: Literal["small", "large"] = "small",
) -> str:
    """Order something.

    Args:
        item: What to order, such as
            a cup.
        count: How many.
    """


def test_tool_schema_has_types_defaults_and_descriptions():
    item = {"type": "string", "description": "What to order, such as a cup."}
    assert tool_schema(order) == {
        "type": "object",
        "properties": {
            "item": item,
            "numbers": {"type": "array", "items": {"type": "integer"}},
            "count": {"type": "integer", "description": "How many.", "default": 1},
            "size": {"type": "string", "enum": ["small", "large"], "default": "small"},
        },
        "required": ["item", "numbers"],
    }


def test_tool_needs_a_docstring_and_type_hints():
    def silent(n: int) -> int:
        return n

    def untyped(a):
        """Do nothing."""

    def many(*values: int):
        """Do nothing."""

    def other(a: dict):
        """Do nothing."""

    with pytest.raises(ValueError, match="silent needs a docstring"):
        Tool.from_function(silent)
    with pytest.raises(ValueError, match="Give the parameter 'a' of untyped a type"):
        tool_schema(untyped)
    with pytest.raises(ValueError, match="takes any number of values"):
        tool_schema(many)
    with pytest.raises(ValueError, match="type of a must be str, int"):
        tool_schema(other)


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ({}, "item is missing"),
        ({"item": 3}, "item must be of type string, got 3"),
        ({"item": "cup", "count": "2"}, "count must be of type integer, got '2'"),
        ({"item": "cup", "count": True}, "count must be of type integer, got True"),
        ({"item": "cup", "size": "huge"}, "size must be one of small, large"),
        ({"item": "cup", "colour": "red"}, "there is no argument 'colour'"),
    ],
)
def test_check_arguments_names_the_fault(arguments, fault):
    (found,) = check_arguments(tool_schema(order), {"numbers": []} | arguments)
    assert fault in found


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "item": st.text() | st.integers() | st.none(),
            "count": st.integers() | st.floats(allow_nan=False) | st.booleans(),
            "size": st.sampled_from(["small", "large", "huge"]),
            "numbers": st.lists(st.integers() | st.text(), max_size=3),
        },
    )
)
def test_check_arguments_agrees_with_jsonschema(arguments):
    """The standard validator on the same schema, with no further properties allowed."""
    schema = tool_schema(order)
    closed = schema | {"additionalProperties": False}
    is_valid = jsonschema.Draft202012Validator(closed).is_valid(arguments)
    assert is_valid == (not check_arguments(schema, arguments))


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(0, 2)
    | st.sampled_from([1.0, 1.5, "", "a"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from("ab"), inner, max_size=2)
    ),
    max_leaves=4,
)
TYPES = ("string", "integer", "number", "boolean", "array", "object", "null")
PARTS = st.recursive(
    st.booleans(),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(TYPES)
            | st.lists(st.sampled_from(TYPES), min_size=1, max_size=3, unique=True),
            "enum": st.lists(VALUES, min_size=1, max_size=3),
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "items": inner,
            "prefixItems": st.lists(inner, min_size=1, max_size=2),
            "properties": st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
        },
    ),
    max_leaves=4,
)


@given(PARTS, VALUES)
def test_check_arguments_refuses_nothing_that_jsonschema_allows(part, value):
    """For schemas of any form: what it does not understand is for the tool to check."""
    schema = {"type": "object", "properties": {"n": part}, "required": ["n"]}
    if check_arguments(schema, {"n": value}):
        assert not jsonschema.Draft202012Validator(schema).is_valid({"n": value})
