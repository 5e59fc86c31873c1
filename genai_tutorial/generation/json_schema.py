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

CHARACTER = r'([^"\\\x00-\x1F\x7F-\x9F]|\\["\\/bfnrt])'
"""A character inside a JSON string: no quote, backslash or control character, unless
escaped.
"""


def regex_from_schema(
    schema: dict[str, Any], *, whitespace: str = "[ ]?", max_digits: int = 15
) -> str:
    r"""Return a regular expression for the JSON texts that are valid under a schema.

    Supported are objects, arrays, strings, integers, numbers, booleans, null, `enum`
    and `const`, nested as you like. Properties come in the order of the schema; those
    that are not `required` may be left out, and no others are allowed. A model may
    write on as long as the expression lets it: give strings a `maxLength` and arrays a
    `maxItems`.

    Args:
        whitespace: What may stand between the parts of the text: an expression that
            should itself be limited.
        max_digits: How many digits a whole number or a fraction may have.

    Raises:
        ValueError: If the schema has a type or keyword that is not supported.

    >>> regex_from_schema({"type": "array", "items": {"type": "null"}, "maxItems": 2})
    '\\[[ ]?(null(,[ ]?null){0,1})?[ ]?\\]'
    """
    if "enum" in schema or "const" in schema:
        _check_keywords(schema, {"enum", "const", "type"})
        values = schema.get("enum", [schema.get("const")])
        if not values:
            raise ValueError("enum must list at least one value, got none.")
        return _any_of([_constant(value, whitespace) for value in values])
    kind = schema.get("type")
    if kind not in KEYWORDS:
        raise ValueError(
            f"type must be one of {', '.join(KEYWORDS)}, or the schema must have enum "
            f"or const; got {schema!r}."
        )
    _check_keywords(schema, {"type", *KEYWORDS[kind]})
    integer = rf"-?(0|[1-9][0-9]{{0,{max_digits - 1}}})"
    if kind == "object":
        return _object(schema, whitespace, max_digits)
    if kind == "array":
        return _array(schema, whitespace, max_digits)
    if kind == "string":
        most = schema.get("maxLength", "")
        return f'"{CHARACTER}{{{schema.get("minLength", 0)},{most}}}"'
    if kind == "number":
        return rf"{integer}(\.[0-9]{{1,{max_digits}}})?([eE][+-][0-9]{{1,2}})?"
    return {"integer": integer, "boolean": "(true|false)", "null": "null"}[kind]


def _object(schema: dict[str, Any], whitespace: str, max_digits: int) -> str:
    properties = schema.get("properties", {})
    required = set(schema.get("required", []))
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
    least, most = schema.get("minItems", 0), schema.get("maxItems")
    if most is not None and most < max(least, 0):
        raise ValueError(f"maxItems must be at least minItems, got {most} < {least}.")
    items = ""
    if most != 0:
        more = "" if most is None else most - 1
        items = f"({item}(,{whitespace}{item}){{{max(least - 1, 0)},{more}}})"
        items += "" if least else "?"
    return rf"\[{whitespace}{items}{whitespace}\]"


def _constant(value: Any, whitespace: str) -> str:
    """Return the expression for one value as `json.dumps` writes it, with white space
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
    return re.escape(json.dumps(value, ensure_ascii=False))


def _any_of(options: list[str]) -> str:
    return options[0] if len(options) == 1 else f"({'|'.join(options)})"


def _check_keywords(schema: dict[str, Any], known: set[str]) -> None:
    known = known | {"title", "description", "$schema"}
    if unknown := set(schema) - known:
        raise ValueError(
            f"The schema has {sorted(unknown)}, which is not supported here; supported "
            f"are {sorted(known)}."
        )
