"""Defence against instructions in a tool's result by marking everything that comes from
outside, and the calls of a run that its task did not need.

Two more defences are elsewhere: a toolbox with `only` the tools that a task needs, and
consent.
"""

from collections.abc import Collection
from dataclasses import replace

from genai_tutorial.agents.calls import ToolCall
from genai_tutorial.agents.loop import Run
from genai_tutorial.agents.tools import Tool, Toolbox
from genai_tutorial.safety import datamark


def marked_results(toolbox: Toolbox, names: Collection[str]) -> Toolbox:
    """Return a toolbox in which the results of some tools are datamarked, so that a
    model can tell them from instructions, and a copied call is no longer a call.

    Args:
        toolbox: The tools.
        names: The tools whose results come from outside.

    Raises:
        ValueError: If one of the names is no tool.

    Source: Hines et al., Defending Against Indirect Prompt Injection Attacks With
        Spotlighting, https://arxiv.org/abs/2403.14720
    """
    toolbox.only(names)  # checks the names
    for name in names:
        toolbox = toolbox.with_tool(_marked(toolbox[name]))
    return toolbox


def unasked_calls(run: Run, allowed: Collection[str]) -> tuple[ToolCall, ...]:
    """Return the calls of a run to tools that its task does not need, whether or not
    they were carried out.
    """
    return tuple(call for call in run.calls if call.name not in allowed)


def harmful_calls(run: Run, harmful: Collection[str]) -> tuple[ToolCall, ...]:
    """Return the calls of a run to harmful tools that were carried out."""
    return tuple(
        step.call
        for step in run.steps
        if step.call is not None
        and step.call.name in harmful
        and step.result is not None
        and not step.result.is_error
    )


def _marked(tool: Tool) -> Tool:
    def call(**arguments: object) -> str:
        # a mark in front, or a text of one word would stay as it is
        return f"^{datamark(str(tool.function(**arguments)))}"

    return replace(tool, function=call)
