"""Tools: functions that a model may call, with a schema that it can read and errors
that it can repair.
"""

import inspect
import json
import re
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

from .calls import ToolCall

LONGEST_RESULT = 4_000
"""The largest number of characters of a result that a model is shown."""


class ToolError(Exception):
    """Raised by a tool that cannot do what it was called for; the message is for the
    model.
    """


@dataclass(frozen=True)
class ToolResult:
    """The result of a call; an error is a result, too.

    Attributes:
        text: The result, or the error message.
        is_error: True if the tool failed.
    """

    text: str
    is_error: bool = False


@dataclass(frozen=True)
class Tool:
    """A function that a model may call.

    Attributes:
        parameters: The JSON Schema of its arguments.
        needs_consent: True if a person must agree first, because its effect cannot be
            undone.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    function: Callable[..., object]
    needs_consent: bool = False

    @classmethod
    def from_function(
        cls, function: Callable[..., object], needs_consent: bool = False
    ) -> "Tool":
        """Make a tool of a function with type hints and a docstring.

        Raises:
            ValueError: If it lacks one of them; see `tool_schema`.

        >>> def double(n: int) -> int:
        ...     '''Double a number.'''
        ...     return 2 * n
        >>> Tool.from_function(double).call({"n": 4})
        ToolResult(text='8', is_error=False)
        """
        return cls(
            function.__name__,
            summary(function),
            tool_schema(function),
            function,
            needs_consent,
        )

    def call(self, arguments: Any) -> ToolResult:
        """Check the arguments and call the function. This never raises: the model gets
        to read what went wrong.
        """
        try:
            if faults := check_arguments(self.parameters, dict(arguments)):
                raise ToolError(f"{'; '.join(faults)}.")
            value = self.function(**arguments)
            text = value if isinstance(value, str) else json.dumps(value)
            return ToolResult(_shown(text))
        except (Exception, SystemExit) as error:  # a tool must not end the agent
            return ToolResult(_shown(f"Error: {self._reason(error)}"), is_error=True)

    def _reason(self, error: BaseException) -> str:
        if isinstance(error, ToolError):
            with suppress(Exception):
                return str(error)
        return f"{self.name} failed with {type(error).__name__}."


@dataclass(frozen=True)
class Toolbox:
    """The tools of an agent.

    Raises:
        ValueError: If two tools have the same name.
    """

    tools: tuple[Tool, ...]

    def __post_init__(self) -> None:
        if len(set(self.names)) < len(self.tools):
            raise ValueError(f"Tools need different names, got {list(self.names)}.")

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the tools."""
        return tuple(tool.name for tool in self.tools)

    @property
    def schemas(self) -> dict[str, Mapping[str, Any]]:
        """The schema of each tool's arguments, by name."""
        return {tool.name: tool.parameters for tool in self.tools}

    def __getitem__(self, name: str) -> Tool:
        for tool in self.tools:
            if tool.name == name:
                return tool
        raise KeyError(f"There is no tool {name!r}; there are: {', '.join(self.names)}")

    def call(self, call: ToolCall) -> ToolResult:
        """Carry out a call; a tool that does not exist is an error for the model."""
        if call.name in self.names:
            return self[call.name].call(call.arguments)
        known = ", ".join(self.names)
        text = f"Error: there is no tool {call.name!r}; there are: {known}."
        return ToolResult(text, is_error=True)

    def only(self, names: Collection[str]) -> "Toolbox":
        """Return a toolbox with some of the tools: the allow-list of a task.

        Raises:
            ValueError: If one of the names is no tool.
        """
        if unknown := set(names) - set(self.names):
            raise ValueError(
                f"There are no tools {sorted(unknown)}; there are: "
                f"{', '.join(self.names)}."
            )
        return Toolbox(tuple(tool for tool in self.tools if tool.name in names))

    def with_tool(self, tool: Tool) -> "Toolbox":
        """Return a toolbox in which a tool replaces the one of its name, or is
        added.
        """
        others = tuple(one for one in self.tools if one.name != tool.name)
        return Toolbox((*others, tool))

    def changed(self, change: Callable[[Tool], Tool]) -> "Toolbox":
        """Return a toolbox with each tool changed."""
        return Toolbox(tuple(map(change, self.tools)))


def _shown(text: str) -> str:
    """Return a result cut to what fits; halves of surrogate pairs become `?`."""
    if len(text) > LONGEST_RESULT:
        text = (
            f"{text[:LONGEST_RESULT]} ... (the first {LONGEST_RESULT:,} of "
            f"{len(text):,} characters)"
        )
    return text.encode(errors="replace").decode()


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


def tool_schema(function: Callable) -> dict[str, Any]:
    """Return the JSON Schema of a function's arguments, from its type hints, its
    defaults and the section `Args:` of its docstring.

    Raises:
        ValueError: If a parameter has no type hint, or one other than `str`, `int`,
            `float`, `bool`, a `list` of these or `Literal`; or if the function takes
            any number of arguments.

    Source: JSON Schema, https://json-schema.org/draft/2020-12; the same form as in the
        Model Context Protocol's `inputSchema`
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
    section = re.search(r"^Args:\n((?: {4}.*\n?)*)", doc, re.MULTILINE)
    items = re.split(r"^ {4}(\w+): ", section[1], flags=re.M) if section else [""]
    return {
        name: " ".join(text.split())
        for name, text in zip(items[1::2], items[2::2], strict=True)
    }


def summary(function: Callable) -> str:
    """Return a function's docstring up to the first section or example, on one line."""
    text = re.split(
        r"^(?:\w+:$|>>>)", inspect.getdoc(function) or "", maxsplit=1, flags=re.M
    )[0]
    if not text.strip():
        raise ValueError(
            f"{function.__name__} needs a docstring: a model chooses tools by it."
        )
    return " ".join(text.split())


def check_arguments(
    schema: Mapping[str, Any], arguments: Mapping[str, Any]
) -> list[str]:
    """Return what is wrong with arguments."""
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
        return [
            fault
            for place, item in enumerate(value)
            for fault in _faults(schema.get("items"), item, f"{name}[{place}]")
        ]
    return []


def _is_a(value: object, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _JSON_TYPES[kind])
