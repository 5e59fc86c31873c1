"""Consent: a person agrees before a tool does something that cannot be undone."""

from collections.abc import Callable
from dataclasses import replace

from genai_tutorial.agents.calls import ToolCall
from genai_tutorial.agents.tools import Tool, Toolbox, ToolError

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


def ask_person(call: ToolCall) -> bool:
    """Show a call at the terminal and ask; anything but yes is no, also the end of the
    input.
    """
    try:
        answer = input(f"The agent wants to call {call}. Allow it? [y/N] ")
    except EOFError:
        return False
    return answer.strip().lower() in ("y", "yes")


def with_consent(toolbox: Toolbox, consent: Consent) -> Toolbox:
    """Return a toolbox whose tools ask for consent where they need it. The question
    comes after the arguments are checked, right before the tool acts.

    Args:
        toolbox: The tools.
        consent: Asked before a tool that needs consent.
    """
    return Toolbox(
        tuple(
            _asking(tool, consent) if tool.needs_consent else tool
            for tool in toolbox.tools
        )
    )


def _asking(tool: Tool, consent: Consent) -> Tool:
    def call(**arguments: object) -> object:
        if consent(ToolCall(tool.name, arguments)) is not True:  # not even "no"
            raise ToolError(
                "the user did not allow this. Do something else, or answer."
            )
        return tool.function(**arguments)

    return replace(tool, function=call)
