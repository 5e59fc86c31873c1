"""From a Python function to a JSON Schema of its arguments, and a check of arguments
against it.
"""

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args, get_origin, get_type_hints

_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}
_JSON_TYPES = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
    "null": type(None),
}
_SAID_ELSEWHERE = {"$ref", "allOf", "anyOf", "oneOf", "if", "patternProperties"}
_ARGUMENT = re.compile(r"^(\w+): (.*)$")


def tool_schema(function: Callable) -> dict[str, Any]:
    """Return the JSON Schema of a function's arguments, from its type hints, its
    defaults and the section `Args:` of its docstring.

    Understood are `str`, `int`, `float`, `bool`, `list` of these, and `Literal`.

    Args:
        function: The function; each parameter needs a type hint.

    Raises:
        ValueError: If a parameter has no type hint or one of another type, or takes any
            number of arguments.

    Source: JSON Schema, https://json-schema.org/draft/2020-12; the same form as in the
        Model Context Protocol's `inputSchema`

    >>> def add(a: int, b: int = 1) -> int:
    ...     '''Add two numbers.'''
    >>> tool_schema(add)["properties"]
    {'a': {'type': 'integer'}, 'b': {'type': 'integer', 'default': 1}}
    >>> tool_schema(add)["required"]
    ['a']
    """
    hints = get_type_hints(function)
    described = _described_arguments(inspect.getdoc(function) or "")
    properties, required = {}, []
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise ValueError(
                f"A tool's parameters must be listed one by one; {function.__name__} "
                f"takes any number of {name}."
            )
        if name not in hints:
            raise ValueError(
                f"Give the parameter {name!r} of {function.__name__} a type hint, such "
                f"as {name}: str."
            )
        properties[name] = _type_schema(hints[name], name)
        if name in described:
            properties[name]["description"] = described[name]
        if parameter.default is parameter.empty:
            required.append(name)
        else:
            properties[name]["default"] = parameter.default
    schema = {"type": "object", "properties": properties}
    return schema | ({"required": required} if required else {})


def check_arguments(schema: Mapping[str, Any], arguments: object) -> list[str]:
    """Return what is wrong with arguments, one sentence per fault; nothing if they are
    valid.

    An argument that the schema does not list is a fault. Schemas of other programs may
    say more than types, lists of types, choices and items of arrays: that is not
    checked here, because whoever offers the tool checks it.

    Args:
        schema: A schema, such as one from `tool_schema`.
        arguments: The arguments by name, as read from JSON.

    >>> schema = {"properties": {"n": {"type": "integer"}}, "required": ["n"]}
    >>> check_arguments(schema, {"n": "2"})
    ["n must be of type integer, got '2'"]
    >>> check_arguments(schema, {})
    ['n is missing']
    """
    if not isinstance(arguments, dict):
        return [f"arguments must be an object, got {arguments!r}"]
    properties, required = schema.get("properties") or {}, schema.get("required") or []
    # a schema that lists no arguments, or says elsewhere what there are, allows others
    others = schema.get("additionalProperties", "properties" not in schema)
    closed = others is False and not _SAID_ELSEWHERE & set(schema)
    faults = [f"{name} is missing" for name in required if name not in arguments]
    for name, value in arguments.items():
        if name in properties:
            faults += _faults(properties[name], value, name)
        elif closed:
            known = ", ".join(properties) or "none"
            faults.append(f"there is no argument {name!r}; there are: {known}")
    return faults


def summary(function: Callable) -> str:
    """Return the part of a function's docstring that is about all of it: the text
    before the first section or example, on one line.

    Raises:
        ValueError: If there is none.
    """
    text = re.split(
        r"^(?:\w+:$|>>>)", inspect.getdoc(function) or "", maxsplit=1, flags=re.M
    )[0]
    if not text.strip():
        raise ValueError(
            f"{function.__name__} needs a docstring: a model chooses tools by it."
        )
    return " ".join(text.split())


def _type_schema(hint: Any, name: str) -> dict[str, Any]:
    if hint in _TYPES:
        return {"type": _TYPES[hint]}
    if get_origin(hint) is Literal:
        values = list(get_args(hint))
        if all(isinstance(value, str) for value in values):
            return {"type": "string", "enum": values}
    if get_origin(hint) is list:
        (item,) = get_args(hint)
        return {"type": "array", "items": _type_schema(item, name)}
    raise ValueError(
        f"The type of {name} must be str, int, float, bool, a list of these, or a "
        f"Literal of texts; got {hint}."
    )


def _described_arguments(doc: str) -> dict[str, str]:
    """Return the descriptions in the section `Args:`, by parameter."""
    lines = doc.split("\n")
    if "Args:" not in lines:
        return {}
    described: dict[str, str] = {}
    name = ""
    for line in lines[lines.index("Args:") + 1 :]:
        if not line.startswith("    "):
            break
        begun = _ARGUMENT.match(line[4:])
        if begun:
            name, described[begun[1]] = begun[1], begun[2]
        elif name:
            described[name] += " " + line.strip()
    return described


def _faults(schema: Any, value: object, name: str) -> list[str]:
    if not isinstance(schema, dict) or "$ref" in schema:
        return []
    kinds = schema.get("type", [])
    kinds = kinds if isinstance(kinds, list) else [kinds]
    known = bool(kinds) and all(
        isinstance(kind, str) and kind in _JSON_TYPES for kind in kinds
    )
    if known and not any(_is_a(value, kind) for kind in kinds):
        return [f"{name} must be of type {' or '.join(kinds)}, got {value!r}"]
    choices = schema.get("enum")
    if isinstance(choices, list) and value not in choices:
        listed = ", ".join(map(str, choices))
        return [f"{name} must be one of {listed}; got {value!r}"]
    if isinstance(value, list) and "prefixItems" not in schema:
        items = (
            _faults(schema.get("items"), item, f"{name}[{place}]")
            for place, item in enumerate(value)
        )
        return [fault for faults in items for fault in faults]
    return []


def _is_a(value: object, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _JSON_TYPES[kind])
