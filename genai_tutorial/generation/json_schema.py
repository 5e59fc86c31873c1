r"""From a JSON Schema to a regular expression of the texts that are valid under it."""

import json
import re
from typing import Any

KEYWORDS = {
    "object": {"properties", "required", "additionalProperties"},
    "array": {"items", "minItems", "maxItems"},
    "string": {"minLength", "maxLength"},
    "integer": set(),
    "number": set(),
    "boolean": set(),
    "null": set(),
}
"""The keywords that are understood for each type."""

_ANNOTATIONS = {"title", "description", "default", "examples", "$comment", "$schema"}
_PYTHON_TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "null": type(None),
}

CHARACTER = r'([^"\\\x00-\x1F\x7F-\x9F]|\\["\\/bfnrt])'
"""A character inside a JSON string: no quote, backslash or control character, unless
escaped.
"""


def regex_from_schema(
    schema: Any, *, whitespace: str = "[ ]?", max_digits: int = 15
) -> str:
    r"""Return a regular expression for the JSON texts that are valid under a schema.

    Supported are objects, arrays, strings, integers, numbers, booleans, null, lists of
    these types, `enum` and `const`, nested as you like. Properties come in the order of
    the schema; those that are not `required` may be left out, and no others are
    allowed. A model may write on as long as the expression lets it: give strings a
    `maxLength` and arrays a `maxItems`.

    Args:
        whitespace: An expression for the text between the parts; it should itself be
            limited.
        max_digits: The largest number of digits of a whole number or a fraction.

    Raises:
        ValueError: If the schema has a type or keyword that is not supported, a keyword
            has a value that it cannot have, or no text is valid.

    >>> regex_from_schema({"type": "array", "items": {"type": "null"}, "maxItems": 2})
    '\\[[ ]?(null(,[ ]?null){0,1})?[ ]?\\]'
    """
    if not isinstance(schema, dict):
        raise ValueError(
            "A schema must be an object here: true allows every value, false none, and "
            f"no expression says that; got {schema!r}."
        )
    kinds = _types(schema)
    if "enum" in schema or "const" in schema:
        _check_keywords(schema, {"enum", "const", "type"})
        return _any_of(
            [_constant(value, whitespace) for value in _values(schema, kinds)]
        )
    _check_keywords(schema, {"type"}.union(*(KEYWORDS[kind] for kind in kinds)))
    return _any_of([_of_type(kind, schema, whitespace, max_digits) for kind in kinds])


def _types(schema: dict[str, Any]) -> list[str]:
    """Return the types that a schema allows; none if it lists its values instead."""
    if "type" not in schema and ("enum" in schema or "const" in schema):
        return []
    kinds = schema.get("type")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if not kinds or not all(isinstance(one, str) and one in KEYWORDS for one in kinds):
        raise ValueError(
            f"type must be one of {', '.join(KEYWORDS)}, or a list of these, or the "
            f"schema must have enum or const; got {schema!r}."
        )
    return kinds


def _values(schema: dict[str, Any], kinds: list[str]) -> list[Any]:
    """Return the values that enum, const and type all allow."""
    values = schema.get("enum", [schema.get("const")])
    if not isinstance(values, list):
        raise ValueError(f"enum must be a list of values, got {values!r}.")
    values = [
        value
        for value in values
        if ("const" not in schema or _same(value, schema["const"]))
        and (not kinds or any(_is_a(value, kind) for kind in kinds))
    ]
    if not values:
        raise ValueError(
            "enum, const and type must leave at least one value that a text may have; "
            f"got {schema!r}."
        )
    return values


def _is_a(value: Any, kind: str) -> bool:
    if isinstance(value, bool) or kind == "boolean":
        return isinstance(value, bool) and kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _PYTHON_TYPES[kind])


def _same(one: Any, other: Any) -> bool:
    """Return whether two values are equal in JSON, where true is not 1."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[k], other[k]) for k in one)
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _of_type(
    kind: str, schema: dict[str, Any], whitespace: str, max_digits: int
) -> str:
    integer = rf"-?(0|[1-9][0-9]{{0,{max_digits - 1}}})"
    if kind == "object":
        return _object(schema, whitespace, max_digits)
    if kind == "array":
        return _array(schema, whitespace, max_digits)
    if kind == "string":
        least, most = _bounds(schema, "minLength", "maxLength")
        return f'"{CHARACTER}{{{least},{"" if most is None else most}}}"'
    if kind == "number":
        return rf"{integer}(\.[0-9]{{1,{max_digits}}})?([eE][+-][0-9]{{1,2}})?"
    return {"integer": integer, "boolean": "(true|false)", "null": "null"}[kind]


def _bounds(schema: dict[str, Any], lower: str, upper: str) -> tuple[int, int | None]:
    """Return the smallest and the largest count that two keywords allow."""
    found = []
    for keyword, otherwise in ((lower, 0), (upper, None)):
        value = schema.get(keyword, otherwise)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        whole = isinstance(value, int) and not isinstance(value, bool)
        if keyword in schema and (not whole or value < 0):
            raise ValueError(
                f"{keyword} must be a whole number of at least 0, got {value!r}."
            )
        found.append(value)
    least, most = found
    if most is not None and most < least:
        raise ValueError(f"{upper} must be at least {lower}, got {most} < {least}.")
    return least, most


def _object(schema: dict[str, Any], whitespace: str, max_digits: int) -> str:
    properties, required = schema.get("properties", {}), schema.get("required", [])
    if not isinstance(properties, dict) or not isinstance(required, list):
        raise ValueError(
            "properties must be an object and required a list of its names; got "
            f"{properties!r} and {required!r}."
        )
    required = set(map(str, required))
    if unknown := required - set(properties):
        raise ValueError(f"required names {sorted(unknown)}, which properties lacks.")
    if schema.get("additionalProperties", False) is not False:
        raise ValueError("additionalProperties must be false: list all properties.")
    comma = f"{whitespace},"
    # From the last property to the first: what may follow where a property has been
    # written already, and where none has.
    following, first = "", ""
    for name, value in reversed(properties.items()):
        pair = (
            f"{whitespace}{_constant(name, '')}{whitespace}:{whitespace}"
            f"{regex_from_schema(value, whitespace=whitespace, max_digits=max_digits)}"
        )
        if name in required:
            first = pair + following
            following = comma + pair + following
        else:
            first = _any_of([pair + following, first])
            following = f"({comma}{pair})?{following}"
    return rf"\{{{first}{whitespace}\}}"


def _array(schema: dict[str, Any], whitespace: str, max_digits: int) -> str:
    item = regex_from_schema(
        schema.get("items", {}), whitespace=whitespace, max_digits=max_digits
    )
    least, most = _bounds(schema, "minItems", "maxItems")
    items = ""
    if most != 0:
        more = "" if most is None else most - 1
        items = f"({item}(,{whitespace}{item}){{{max(least - 1, 0)},{more}}})"
        items += "" if least else "?"
    return rf"\[{whitespace}{items}{whitespace}\]"


def _constant(value: Any, whitespace: str) -> str:
    """Return the expression for one value as `json.dumps` writes it, with whitespace
    between its parts.
    """
    if isinstance(value, dict):
        pairs = [
            f"{whitespace}{_constant(name, '')}{whitespace}:{whitespace}"
            f"{_constant(item, whitespace)}"
            for name, item in value.items()
        ]
        return rf"\{{{f'{whitespace},'.join(pairs)}{whitespace}\}}"
    if isinstance(value, list):
        items = f"{whitespace},{whitespace}".join(
            _constant(item, whitespace) for item in value
        )
        return rf"\[{whitespace}{items}{whitespace}\]"
    try:
        return re.escape(json.dumps(value, ensure_ascii=False, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"enum and const must have values of JSON, got {value!r}."
        ) from error


def _any_of(options: list[str]) -> str:
    return options[0] if len(options) == 1 else f"({'|'.join(options)})"


def _check_keywords(schema: dict[str, Any], known: set[str]) -> None:
    known = known | _ANNOTATIONS
    if unknown := set(schema) - known:
        raise ValueError(
            f"The schema has {sorted(unknown)}, which is not supported here; supported "
            f"are {sorted(known)}."
        )
