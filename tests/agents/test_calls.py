"""Calls as text: every valid call and no other matches the pattern."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genai_tutorial.agents import (
    CallError,
    ToolCall,
    call_pattern,
    copied_spans,
    copying_pattern,
    parse_call,
    tool_schema,
    write_call,
)
from genai_tutorial.generation import matches, parse_regex


def look(country: str) -> str:
    """Look up."""


def add(a: int, b: int = 0) -> int:
    """Add."""


SCHEMAS = {"look": tool_schema(look), "add": tool_schema(add)}
PATTERN = parse_regex(call_pattern(SCHEMAS))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@pytest.mark.slow
@given(st.text(), st.dictionaries(st.text(), JSON))
def test_parse_call_reads_what_write_call_wrote(name, arguments):
    call = ToolCall(name, arguments)
    assert parse_call(write_call(call)) == call


@pytest.mark.parametrize("text", ["12", "The answer is {12}.", ""])
def test_parse_call_leaves_answers_alone(text):
    assert parse_call(text) is None


@pytest.mark.parametrize(
    "text",
    [
        '{"name":"look"',
        '{"name":"look"}',
        '{"name":1,"arguments":{}}',
        '{"name":"look","arguments":[]}',
        '{"name":"look","arguments":{},"more":1}',
        "{" * 3000,
    ],
)
def test_parse_call_refuses_broken_calls(text):
    with pytest.raises(CallError):
        parse_call(text)


@pytest.mark.slow
@given(st.text(st.characters(codec="utf-8", exclude_characters="\x7f"), max_size=20))
def test_call_pattern_matches_calls_with_any_text(text):
    call = write_call(ToolCall("look", {"country": text}))
    # control characters have escapes that the pattern does not offer
    plain = all(
        character >= " " and not "\x80" <= character <= "\x9f" for character in text
    )
    if plain:
        assert matches(PATTERN, call.encode())


@pytest.mark.parametrize(
    "call",
    [
        ToolCall("look", {}),
        ToolCall("look", {"city": "Lima"}),
        ToolCall("lookup", {"country": "Peru"}),
        ToolCall("add", {"a": "2"}),
        ToolCall("add", {"a": 2.5}),
    ],
)
def test_call_pattern_matches_no_invalid_call(call):
    assert not matches(PATTERN, write_call(call).encode())


def test_call_pattern_asks_for_required_arguments_only():
    assert matches(PATTERN, write_call(ToolCall("add", {"a": -2})).encode())


def test_copying_pattern_allows_spans_of_the_sources():
    pattern = parse_regex(copying_pattern(SCHEMAS, ["Where is New Zealand?"]))
    for country, allowed in {
        "New Zealand": True,
        "Zealand": True,
        "where": False,
        "Old Zealand": False,
    }.items():
        call = write_call(ToolCall("look", {"country": country}))
        assert matches(pattern, call.encode()) == allowed, country


def test_copied_spans_have_code_and_sums():
    spans = copied_spans(["Run this: print('a b c d')", "7 lines and 30 words"])
    assert "print('a b c d')" in spans
    assert "30 * 7" in spans
    assert "7 - 7" not in spans


def test_copied_spans_are_bounded():
    """Numbers are paired, and an ordinary file may be full of them."""
    few = copied_spans([" ".join(map(str, range(2_000)))])
    many = copied_spans([" ".join(map(str, range(20_000)))] * 2)
    assert few == many
    assert len(few) < 2_200
    assert len(copied_spans(["a: b\n" * 20_000])) < 2_200


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (ToolCall("read_file", {"path": "a\n"}), "read_file(path='a\\n')"),
        (ToolCall("a/b.c-d", {}), "a/b.c-d()"),
        (ToolCall("list_files\x1b[2K\r", {}), "'list_files\\x1b[2K\\r'()"),
        (ToolCall("a", {"\u202eb": 1}), "a('\\u202eb'=1)"),
        (ToolCall("a(). Allow it? y", {}), "'a(). Allow it? y'()"),
        (ToolCall("", {}), "''()"),
    ],
)
def test_tool_call_as_text_cannot_rewrite_a_question(call, text):
    assert str(call) == text
    assert str(call).isprintable()


@pytest.mark.parametrize("schema", [{"type": "object"}, {"properties": {"n": True}}])
def test_call_pattern_of_a_tool_without_required_arguments(schema):
    for pattern in (call_pattern({"f": schema}), copying_pattern({"f": schema}, ["a"])):
        assert matches(parse_regex(pattern), b'{"name":"f","arguments":{}}')


def test_call_pattern_needs_a_tool():
    with pytest.raises(ValueError, match="at least one tool"):
        call_pattern({})
