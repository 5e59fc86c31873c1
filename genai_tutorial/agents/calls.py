"""A call of a tool as text: writing it, reading it, and the regular expressions of all
calls that a model may write.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from genai_tutorial.generation import regex_from_schema

_MOST_WORDS, _MOST_NUMBERS = 200, 20  # that count as copied


class CallError(ValueError):
    """Raised for a text that begins like a call and is not one."""


@dataclass(frozen=True)
class ToolCall:
    """A call of a tool: its name, and the arguments by name."""

    name: str
    arguments: Mapping[str, Any]

    def __str__(self) -> str:
        """Return the call as in Python. A name with anything but letters, digits and
        `_ . - /` is quoted and escaped, so that it cannot rewrite a question.
        """
        given = ", ".join(
            f"{_readable(name)}={value!r}" for name, value in self.arguments.items()
        )
        return f"{_readable(self.name)}({given})"


def write_call(call: ToolCall) -> str:
    """Return a call as JSON without spaces, which cost tokens.

    >>> write_call(ToolCall("calculator", {"expression": "2 + 3"}))
    '{"name":"calculator","arguments":{"expression":"2 + 3"}}'
    """
    document = {"name": call.name, "arguments": dict(call.arguments)}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def parse_call(text: str) -> ToolCall | None:
    """Read a call; return None for an answer in words, which is any text that does not
    begin with a brace.

    Raises:
        CallError: If the text begins like a call and is not one.

    >>> print(parse_call('{"name": "list_files", "arguments": {}}'))
    list_files()
    >>> parse_call("It has 12 letters.")
    >>> parse_call('{"name": "list_files"}')
    Traceback (most recent call last):
    genai_tutorial.agents.calls.CallError: A call needs a name and arguments, ...
    """
    text = text.strip()
    if not text.startswith("{"):
        return None
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CallError(f"The call is not valid JSON: {error}.") from error
    name, arguments = document.get("name"), document.get("arguments")
    if (
        set(document) != {"name", "arguments"}
        or not isinstance(name, str)
        or not isinstance(arguments, dict)
    ):
        raise CallError(
            'A call needs a name and arguments, such as {"name": "list_files", '
            f'"arguments": {{}}}}; got {text[:80]}.'
        )
    return ToolCall(name, arguments)


def call_pattern(schemas: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a regular expression for all valid calls, for `ConstrainedText`, given the
    schema of each tool's arguments by the tool's name.

    Raises:
        ValueError: If there is no tool, or a schema is not supported.
    """
    if not schemas:
        raise ValueError("There must be at least one tool to call, got none.")
    calls = [
        rf'\{{"name":{re.escape(json.dumps(name))},"arguments":'
        rf"{regex_from_schema(_closed(schema), whitespace='')}\}}"
        for name, schema in schemas.items()
    ]
    return f"({'|'.join(calls)})"


def copying_pattern(
    schemas: Mapping[str, Mapping[str, Any]], sources: Sequence[str]
) -> str:
    """Return a regular expression for the calls whose text arguments are copied from
    the sources, which are the task and the results so far: see `copied_spans`.
    Arguments that are no text, or are one of several given ones, are not copied.

    Raises:
        ValueError: If there is no tool, or a schema is not supported.

    Source: Gu et al., Incorporating Copying Mechanism in Sequence-to-Sequence
        Learning (the idea; there it is learned), https://arxiv.org/abs/1603.06393
    """
    spans = copied_spans(sources)
    return call_pattern(
        {name: _with_choices(schema, spans) for name, schema in schemas.items()}
    )


def copied_spans(sources: Sequence[str]) -> list[str]:
    """Return the texts that count as copied from the sources, without duplicates: up to
    three words in a row, the code behind a colon to the end of the line, and two
    numbers with an operator between them.

    Of each source the first 200 words count, and of all the first 20 numbers, because
    the number of pairs grows with the square.

    >>> spans = copied_spans(["What is 3 times 14?"])
    >>> "3 * 14" in spans, "14" in spans, "is 3 times" in spans, "3 times 14?" in spans
    (True, True, True, False)
    """
    spans: list[str] = []
    numbers: list[str] = []
    for text in sources:
        words = text.split()[:_MOST_WORDS]
        words = [word.strip("\"'?,;:!()").rstrip(".") for word in words]
        for length in range(1, 4):
            starts = range(len(words) - length + 1)
            spans += [" ".join(words[start : start + length]) for start in starts]
        codes = re.findall(r": *(.+)$", text, re.MULTILINE)[:_MOST_WORDS]
        spans += [code.strip() for code in codes]
        numbers += re.findall(r"\d+(?:\.\d+)?", text)
    numbers = numbers[:_MOST_NUMBERS]
    for place, first in enumerate(numbers):
        for second in numbers[:place] + numbers[place + 1 :]:
            spans += [f"{first} {operator} {second}" for operator in "+-*/"]
    return list(dict.fromkeys(span for span in spans if span))


def _closed(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema with the properties that are required."""
    required = schema.get("required", [])
    parts = schema.get("properties", {}).items()
    properties = {name: part for name, part in parts if name in required}
    return {"type": "object", "properties": properties, "required": list(properties)}


def _with_choices(schema: Mapping[str, Any], choices: list[str]) -> dict[str, Any]:
    properties = dict(schema.get("properties", {}))
    for name, part in properties.items():
        if isinstance(part, dict) and part.get("type") == "string":
            properties[name] = {"enum": choices, **part}  # its own choices are kept
    return {**schema, "properties": properties}


def _readable(name: str) -> str:
    return name if re.fullmatch(r"[\w./-]+", name) else repr(name)
