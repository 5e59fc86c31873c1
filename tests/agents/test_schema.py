"""Schemas of tools from signatures, and the check of arguments."""

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genai_tutorial.agents import tool_schema
from genai_tutorial.agents.tools import check_arguments


def order(item: str, count: int = 1, size: Literal["small", "large"] = "small") -> str:
    """Order something.

    Args:
        item: What to order, such as
            a cup.
        count: How many.
    """


def test_tool_schema_has_types_defaults_and_descriptions():
    assert tool_schema(order) == {
        "type": "object",
        "properties": {
            "item": {
                "type": "string",
                "description": "What to order, such as a cup.",
            },
            "count": {"type": "integer", "description": "How many.", "default": 1},
            "size": {"type": "string", "enum": ["small", "large"], "default": "small"},
        },
        "required": ["item"],
    }


def test_tool_schema_of_lists():
    def add(numbers: list[float]) -> float:
        """Add numbers."""

    assert tool_schema(add)["properties"]["numbers"] == {
        "type": "array",
        "items": {"type": "number"},
    }


def test_tool_schema_needs_type_hints():
    def untyped(a):
        """Do nothing."""

    def many(*values: int):
        """Do nothing."""

    def other(a: dict):
        """Do nothing."""

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
    (found,) = check_arguments(tool_schema(order), arguments)
    assert fault in found


def test_check_arguments_accepts_valid_ones():
    assert check_arguments(tool_schema(order), {"item": "cup", "count": 2}) == []


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
    import jsonschema

    def buy(
        item: str,
        numbers: list[int],
        count: int = 1,
        size: Literal["small", "large"] = "small",
    ) -> str:
        """Buy something."""

    schema = tool_schema(buy)
    validator = jsonschema.Draft202012Validator(
        schema | {"additionalProperties": False}
    )
    assert validator.is_valid(arguments) == (not check_arguments(schema, arguments))


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
    import jsonschema

    schema = {"type": "object", "properties": {"n": part}, "required": ["n"]}
    if check_arguments(schema, {"n": value}):
        assert not jsonschema.Draft202012Validator(schema).is_valid({"n": value})
