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
        ({"type": "object", "required": ["a"]}, "which properties lacks"),
        ({"type": "object", "additionalProperties": True}, "must be false"),
        (
            {"type": "array", "items": {"type": "null"}, "minItems": 2, "maxItems": 1},
            "<",
        ),
    ],
)
def test_regex_from_schema_refuses_what_it_does_not_know(schema, message):
    with pytest.raises(ValueError, match=message):
        regex_from_schema(schema)
