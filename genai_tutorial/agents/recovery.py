"""Recovery from tools that fail at random: trying again, or calling another tool.

A third way is to read the error and write a better call. It needs no code here, because
the loop shows errors to the model.
"""

import math
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace

import torch

from genai_tutorial.agents.tools import Tool, Toolbox, ToolError


class Unavailable(ToolError):
    """Raised by a tool that failed for a temporary reason, such as a busy server."""


def flaky(tool: Tool, probability: float | int, generator: torch.Generator) -> Tool:
    """Return a tool that is unavailable with a probability, independently each time.

    Args:
        tool: The tool.
        probability: The probability of a failure, from 0 to 1.
        generator: Random generator of the failures.

    Raises:
        ValueError: If the probability is not from 0 to 1.
    """
    if not 0 <= probability <= 1:
        raise ValueError(f"probability must be from 0 to 1, got {probability}.")

    def call(**arguments: object) -> object:
        if torch.rand((), generator=generator) < probability:
            raise Unavailable("the tool is not available, try again.")
        return tool.function(**arguments)

    return replace(tool, function=call)


def retrying(tool: Tool, attempts: int) -> Tool:
    """Return a tool that is tried again while it is unavailable. Other errors are not
    retried: the same call would fail in the same way.

    Args:
        tool: The tool.
        attempts: The largest number of attempts.

    Raises:
        ValueError: If `attempts` is below 1.
    """
    if attempts < 1:
        raise ValueError(f"attempts must be at least 1, got {attempts}.")

    def call(**arguments: object) -> object:
        for attempt in range(attempts):
            try:
                return tool.function(**arguments)
            except Unavailable:
                if attempt == attempts - 1:
                    raise
        raise AssertionError("there is at least one attempt")

    return replace(tool, function=call)


def with_fallback(tool: Tool, other: Callable[..., object]) -> Tool:
    """Return a tool that calls another function if it fails.

    Args:
        tool: The tool.
        other: Called with the same arguments.
    """

    def call(**arguments: object) -> object:
        try:
            return tool.function(**arguments)
        except ToolError:
            return other(**arguments)

    return replace(tool, function=call)


def success_probability(failure: float | int, attempts: int) -> float:
    """Return the probability that one of several independent attempts succeeds.

    >>> round(success_probability(0.3, attempts=3), 3)
    0.973
    """
    return 1 - failure**attempts


def limited(toolbox: Toolbox, seconds: float | int) -> Toolbox:
    """Return a toolbox whose calls are given up after some seconds.

    A call runs in a thread of its own. Python cannot end a thread, so a call that is
    given up may go on in the background until the program ends; and C code that never
    hands the interpreter back cannot be given up.

    Args:
        toolbox: The tools.
        seconds: The time for each call; infinity for no limit.
    """
    if seconds == math.inf:
        return toolbox
    return replace(
        toolbox, tools=tuple(_limited(tool, seconds) for tool in toolbox.tools)
    )


def _limited(tool: Tool, seconds: float) -> Tool:
    def call(**arguments: object) -> object:
        if seconds <= 0:
            raise ToolError("there is no time left for this call.")
        value: Future = Future()

        def work() -> None:
            try:
                value.set_result(tool.function(**arguments))
            except BaseException as error:
                value.set_exception(error)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(seconds)
        if not value.done():
            raise ToolError(
                f"{tool.name} was given up after {seconds:.3g} seconds; it may still "
                "be running."
            )
        return value.result()

    return replace(tool, function=call)
