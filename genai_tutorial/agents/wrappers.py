"""Tools that behave otherwise: they ask a person first, stop after a time, fail at
random, are tried again, or mark what comes from outside.
"""

import math
import threading
from collections.abc import Callable, Collection
from concurrent.futures import Future
from dataclasses import replace
from functools import partial

import torch

from genai_tutorial.safety import datamark

from .calls import ToolCall
from .tools import Tool, Toolbox, ToolError

Consent = Callable[[ToolCall], bool]
"""A function that is asked before a tool that needs consent is called; only True allows
it.
"""


def refuse_all(call: ToolCall) -> bool:
    """Refuse every call: the default."""
    return False


def allow_all(call: ToolCall) -> bool:
    """Allow every call: for folders whose loss does not matter."""
    return True


def with_consent(toolbox: Toolbox, consent: Consent) -> Toolbox:
    """Return a toolbox whose tools ask where they need consent: after the arguments are
    checked, right before the tool acts.
    """

    def asking(tool: Tool) -> Tool:
        def call(**arguments: object) -> object:
            if consent(ToolCall(tool.name, arguments)) is not True:  # not even "no"
                raise ToolError(
                    "the user did not allow this. Do something else, or answer."
                )
            return tool.function(**arguments)

        return replace(tool, function=call) if tool.needs_consent else tool

    return toolbox.changed(asking)


def limited(toolbox: Toolbox, seconds: float | int) -> Toolbox:
    """Return a toolbox whose calls are given up after some seconds; infinity sets no
    limit.
    """
    if seconds == math.inf:
        return toolbox
    return toolbox.changed(partial(_limited, seconds=seconds))


def _limited(tool: Tool, seconds: float | int) -> Tool:
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


class Unavailable(ToolError):
    """Raised by a tool that failed for a temporary reason, such as a busy server."""


def flaky(tool: Tool, probability: float | int, generator: torch.Generator) -> Tool:
    """Return a tool that is unavailable with a probability, independently each time.

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
    """Return a tool that is tried again while it is unavailable, up to so many times in
    all. Other errors are not retried: the same call would fail in the same way.

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
    """Return a tool that calls another function, with the same arguments, if it
    fails.
    """

    def call(**arguments: object) -> object:
        try:
            return tool.function(**arguments)
        except ToolError:
            return other(**arguments)

    return replace(tool, function=call)


def marked_results(toolbox: Toolbox, names: Collection[str]) -> Toolbox:
    """Return a toolbox in which the results of the named tools are datamarked, so that
    a model can tell them from instructions, and a copied call is no longer a call.

    Raises:
        ValueError: If one of the names is no tool.

    Source: Hines et al., Defending Against Indirect Prompt Injection Attacks With
        Spotlighting, https://arxiv.org/abs/2403.14720
    """
    toolbox.only(names)  # checks the names

    def marked(tool: Tool) -> Tool:
        def call(**arguments: object) -> str:
            # a mark in front, or a text of one word would stay as it is
            return f"^{datamark(str(tool.function(**arguments)))}"

        return replace(tool, function=call) if tool.name in names else tool

    return toolbox.changed(marked)
