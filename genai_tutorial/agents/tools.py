"""Tools: functions that a model may call, with a description that it can read and
errors that it can repair.
"""

import json
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from genai_tutorial.agents.calls import ToolCall
from genai_tutorial.agents.schema import check_arguments, summary, tool_schema

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
        is_error: Whether the tool failed.
    """

    text: str
    is_error: bool = False


@dataclass(frozen=True)
class Tool:
    """A function that a model may call.

    Attributes:
        name: Its name in calls.
        description: Its purpose, for the model.
        parameters: The JSON Schema of its arguments.
        function: The function.
        needs_consent: Whether a person must agree first, because its effect cannot be
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

    @property
    def specification(self) -> dict[str, Any]:
        """The name, the description and the parameters, for the model."""
        return {
            "name": self.name,
            "description": self.description,
            "parameters": dict(self.parameters),
        }

    def call(self, arguments: Mapping[str, Any]) -> ToolResult:
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

    Attributes:
        tools: The tools.

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

    @property
    def specifications(self) -> list[dict[str, Any]]:
        """The specification of each tool."""
        return [tool.specification for tool in self.tools]

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __getitem__(self, name: str) -> Tool:
        for tool in self.tools:
            if tool.name == name:
                return tool
        raise KeyError(f"There is no tool {name!r}; there are: {', '.join(self.names)}")

    def call(self, call: ToolCall) -> ToolResult:
        """Carry out a call; a tool that does not exist is an error for the model."""
        if call.name not in self:
            text = (
                f"Error: there is no tool {call.name!r}; there are: "
                f"{', '.join(self.names)}."
            )
            return ToolResult(text, is_error=True)
        return self[call.name].call(call.arguments)

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
        return replace(self, tools=(*others, tool))


def _shown(text: str) -> str:
    """Return a result cut to what fits, without halves of surrogate pairs, which no
    tokenizer reads.
    """
    if len(text) > LONGEST_RESULT:
        text = (
            f"{text[:LONGEST_RESULT]} ... (the first {LONGEST_RESULT:,} of "
            f"{len(text):,} characters)"
        )
    return text.encode(errors="replace").decode()
