"""The fields of a request's body, checked one by one."""

import json
from collections.abc import Collection
from typing import Any

from genai_tutorial.cli.server.errors import ApiError

IGNORED = frozenset(
    {
        "metadata",
        "prompt_cache_key",
        "safety_identifier",
        "service_tier",
        "store",
        "user",
    }
)
"""Fields that change nothing about an answer."""

NEUTRAL: dict[str, tuple] = {
    "best_of": (1,),
    "echo": (False,),
    "frequency_penalty": (0,),
    "function_call": ("none",),
    "functions": ([],),
    "logit_bias": ({},),
    "logprobs": (False, 0),
    "modalities": (["text"],),
    "parallel_tool_calls": (True, False),
    "presence_penalty": (0,),
    "response_format": ({"type": "text"},),
    "suffix": ("",),
    "tool_choice": ("none", "auto"),
    "tools": ([],),
    "top_logprobs": (0,),
}
"""Fields that the server cannot follow, and the values that ask for nothing."""

MAX_STOPS = 4


class Body:
    """A JSON object whose fields are read with a check. A field that is null counts as
    missing.

    Args:
        fields: The fields.
        known: The names of those that are read.

    Raises:
        ApiError: If there is a field that the server does not know or cannot follow.
    """

    def __init__(self, fields: dict[str, Any], known: Collection[str]):
        self.fields = {k: v for k, v in fields.items() if v is not None}
        for name, value in self.fields.items():
            if name in known or name in IGNORED:
                continue
            if name not in NEUTRAL:
                raise ApiError(
                    400, f"There is no field {name!r}.", name, "unknown_parameter"
                )
            if value not in NEUTRAL[name]:
                raise ApiError(
                    400,
                    f"This server has no {name}; leave it out.",
                    name,
                    "unsupported_parameter",
                )

    @classmethod
    def from_json(cls, text: bytes, known: Collection[str]) -> "Body":
        """Read a body.

        Raises:
            ApiError: If it is not a JSON object, or has a field that the server does
                not know or cannot follow.
        """
        try:
            fields = json.loads(text, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise ApiError(400, f"The body is not JSON: {error}.") from error
        if not isinstance(fields, dict):
            raise ApiError(400, "The body must be a JSON object.")
        return cls(fields, known)

    def text(self, name: str) -> str:
        """Return a text that must be there."""
        value = self.fields.get(name)
        if not isinstance(value, str) or not value:
            raise _wrong(name, "a text", value)
        return value

    def boolean(self, name: str) -> bool:
        """Return true or false; by default false."""
        value = self.fields.get(name, False)
        if not isinstance(value, bool):
            raise _wrong(name, "true or false", value)
        return value

    def whole(
        self, name: str, least: int, most: int, default: int | None
    ) -> int | None:
        """Return a whole number in a range."""
        value = self.fields.get(name, default)
        if value is default:
            return default
        if not isinstance(value, int) or isinstance(value, bool):
            raise _wrong(name, "a whole number", value)
        if not least <= value <= most:
            raise _wrong(name, f"from {least} to {most}", value)
        return value

    def number(
        self, name: str, least: int, most: int, default: float | int | None
    ) -> float | int | None:
        """Return a number in a range."""
        value = self.fields.get(name, default)
        if value is default:
            return default
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise _wrong(name, "a number", value)
        if not least <= value <= most:
            raise _wrong(name, f"from {least} to {most}", value)
        return value

    def stops(self) -> list[str]:
        """Return the texts to stop at."""
        value = self.fields.get("stop", [])
        stops = [value] if isinstance(value, str) else value
        if (
            not isinstance(stops, list)
            or len(stops) > MAX_STOPS
            or not all(isinstance(stop, str) and stop for stop in stops)
        ):
            raise _wrong("stop", f"a text or up to {MAX_STOPS}, none empty", value)
        return stops

    def includes_usage(self) -> bool:
        """Return whether a stream ends with the token counts."""
        value = self.fields.get("stream_options", {})
        if not isinstance(value, dict) or not value.keys() <= {
            "include_usage",
            "include_obfuscation",
        }:
            raise _wrong("stream_options", "an object with include_usage", value)
        if value and not self.boolean("stream"):
            raise ApiError(400, "Set stream to true as well.", "stream_options")
        return Body(value, value.keys()).boolean("include_usage")


def _wrong(name: str, expected: str, value: object) -> ApiError:
    shown = json.dumps(value)
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
    return ApiError(
        400, f"{name} must be {expected}, got {shown}.", name, "invalid_value"
    )


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")
