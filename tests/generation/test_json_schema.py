import json
import re

import pytest

from genai_tutorial.generation import regex_from_schema

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 5},
        "age": {"type": "integer"},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "maxItems": 2},
        "home": {
            "type": "object",
            "properties": {"city": {"const": "São"}},
            "required": ["city"],
        },
        "member": {"type": "boolean"},
    },
    "required": ["name", "age", "tags", "home", "member"],
}
VALUE = {
    "name": "Zoë",
    "age": 7,
    "tags": ["b"],
    "home": {"city": "São"},
    "member": True,
}


NULL = {"type": "null"}


def accepts(schema, text, **limits):
    return re.fullmatch(regex_from_schema(schema, **limits), text) is not None


def test_regex_from_schema_accepts_what_json_dumps_writes():
    assert accepts(PERSON, json.dumps(VALUE, ensure_ascii=False))
    compact = json.dumps(VALUE, ensure_ascii=False, separators=(",", ":"))
    assert accepts(PERSON, compact)
    assert accepts(PERSON, compact, whitespace="")


@pytest.mark.parametrize(
    "change",
    [
        {"name": "longer"},
        {"age": 1.5},
        {"age": "7"},
        {"tags": ["c"]},
        {"tags": ["a", "b", "a"]},
        {"home": {}},
        {"member": None},
        {"extra": 1},
    ],
)
def test_regex_from_schema_rejects_other_values(change):
    assert not accepts(PERSON, json.dumps(VALUE | change, ensure_ascii=False))


def test_regex_from_schema_rejects_cut_off_texts_and_line_breaks():
    text = json.dumps(VALUE, ensure_ascii=False)
    assert not any(accepts(PERSON, text[:end]) for end in range(len(text)))
    assert not accepts(PERSON, json.dumps(VALUE, ensure_ascii=False, indent=1))


@pytest.mark.parametrize(
    ("schema", "valid", "invalid"),
    [
        ({"type": "integer"}, ["0", "-12", "9" * 15], ["01", "1.", "--1", "9" * 16]),
        ({"type": "number"}, ["0.5", "-1e+20", "3"], [".5", "1e20", "1.", "inf"]),
        ({"type": "null"}, ["null"], ["None", ""]),
        ({"type": "string"}, ['""', r'"a\"\n"'], ['"', '"\n"', r'"\x"', '"\x80"']),
        ({"type": ["string", "null"], "maxLength": 1}, ['"a"', "null"], ['"ab"', "1"]),
        (
            {"type": "integer", "enum": ["a", 1, True, 2.0]},
            ["1", "2.0"],
            ['"a"', "true"],
        ),
        (
            {"type": ["boolean", "null"], "enum": [1, True, None]},
            ["true", "null"],
            ["1"],
        ),
        ({"enum": [1, True, [1], [True]], "const": True}, ["true"], ["1", "[true]"]),
        ({"enum": [{"a": 1}, {"a": True}], "const": {"a": 1.0}}, ['{"a": 1}'], ["1"]),
        (
            {"type": "string", "minLength": 2.0, "maxLength": 3.0},
            ['"ab"', '"abc"'],
            ['"a"', '"abcd"', '"a{2.0,3.0}"'],
        ),
        (
            {"type": "array", "items": NULL, "minItems": 1.0, "maxItems": 2.0},
            ["[null]", "[null,null]"],
            ["[]", "[null,null,null]"],
        ),
        ({"type": "null", "default": None, "examples": [None]}, ["null"], ["1"]),
        ({"enum": ["a.b", 3, None]}, ['"a.b"', "3", "null"], ['"acb"', "[3]"]),
        ({"const": {"a": [1, {}]}}, ['{"a": [1, { }]}', '{"a":[1,{}]}'], ['{"a":[1]}']),
        (
            {"type": "array", "items": {"type": "null"}, "maxItems": 0},
            ["[]"],
            ["[null]"],
        ),
        (
            {"type": "array", "items": NULL, "minItems": 2},
            ["[null, null]", "[null,null,null]"],
            ["[]", "[null]", "[null,null,]"],
        ),
    ],
)
def test_regex_from_schema_of_single_types(schema, valid, invalid):
    assert all(accepts(schema, text) for text in valid)
    assert not any(accepts(schema, text) for text in invalid)
    assert all(json.loads(text) is not ... for text in valid)


@pytest.mark.parametrize("required", [[], ["a"], ["b"], ["c"], ["a", "c"], ["b", "c"]])
def test_regex_from_schema_optional_properties(required):
    schema = {
        "type": "object",
        "properties": {name: {"type": "null"} for name in "abc"},
        "required": required,
    }
    for mask in range(8):
        present = [name for place, name in enumerate("abc") if mask >> place & 1]
        text = json.dumps(dict.fromkeys(present))
        assert accepts(schema, text) == set(required).issubset(present)


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": "date"}, "type must be one of"),
        ({}, "type must be one of"),
        ({"type": "integer", "minimum": 3}, r"\['minimum'\], which is not supported"),
        ({"enum": []}, "at least one value"),
        ({"const": 1, "enum": [2]}, "at least one value"),
        ({"const": 1, "enum": [True]}, "at least one value"),
        ({"type": "string", "enum": [1]}, "at least one value"),
        ({"enum": "ab"}, "enum must be a list"),
        ({"enum": [float("nan")]}, "values of JSON, got nan"),
        ({"const": {"a": [float("inf")]}}, "values of JSON, got inf"),
        ({"const": b"a"}, "values of JSON"),
        ({"type": "string", "minLength": -1}, "minLength must be a whole number"),
        ({"type": "string", "maxLength": 1.5}, "maxLength must be a whole number"),
        ({"type": "string", "maxLength": "2"}, "maxLength must be a whole number"),
        ({"type": "string", "minLength": 3, "maxLength": 2}, "got 2 < 3"),
        (
            {"type": "array", "items": NULL, "minItems": True},
            "minItems must be a whole",
        ),
        ({"type": []}, "type must be one of"),
        ({"type": [["string"]]}, "type must be one of"),
        ({"type": ["string", "null"], "minItems": 1}, "not supported"),
        ({"type": "object", "properties": []}, "properties must be an object"),
        ({"type": "object", "required": "a"}, "required a list"),
        ({"type": "object", "properties": {"a": True}}, "must be an object here"),
        ({"type": "array", "items": False}, "must be an object here"),
        (True, "must be an object here"),
        ({"type": "object", "required": ["a"]}, "which properties lacks"),
        ({"type": "object", "additionalProperties": True}, "must be false"),
    ],
)
def test_regex_from_schema_refuses_what_it_does_not_know(schema, message):
    with pytest.raises(ValueError, match=message):
        regex_from_schema(schema)
