"""The team of agents.py: one agent writes an answer, a checker objects or does not, and
another agent revises.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from genai_tutorial.agents import Agent, Ending, Run, Toolbox, copied_spans
from genai_tutorial.generation import option_log_likelihoods
from genai_tutorial.tokenization import BPETokenizer, ChatTemplate, Message
from genai_tutorial.transformer import DecoderLM

Checker = Callable[[Run], str | None]
"""A function that reads a run and returns an objection, or None."""


@dataclass(frozen=True)
class TeamRun:
    """The record of a team's work on a task.

    Attributes:
        first: The run of the writer.
        objection: The checker's objection; None if it agreed.
        revised: The run of the reviser; None if there was no objection.
    """

    first: Run
    objection: str | None = None
    revised: Run | None = None

    @property
    def answer(self) -> str:
        """The answer of the team."""
        return (self.revised or self.first).answer


def write_and_check(
    writer: Agent, checker: Checker, reviser: Agent, tasks: Sequence[str]
) -> list[TeamRun]:
    """Let a writer work on each task, and a reviser on those that a checker objects to.

    Args:
        writer: The first agent.
        checker: Reads its runs.
        reviser: The agent for the tasks with an objection: slower or more careful than
            the writer, or the team gains nothing.
        tasks: The tasks.
    """
    firsts = writer.run_all(tasks)
    objections = [checker(run) for run in firsts]
    again = [place for place, objection in enumerate(objections) if objection]
    revised: dict[int, Run] = {}
    if again:
        runs = reviser.run_all([tasks[place] for place in again])
        revised = dict(zip(again, runs, strict=True))
    return [
        TeamRun(first, objection, revised.get(place))
        for place, (first, objection) in enumerate(zip(firsts, objections, strict=True))
    ]


def copy_checker(toolbox: Toolbox) -> Checker:
    """Return a checker that needs no model: it objects to a run without an answer or
    without a call, to calls that failed, and to text arguments that are not copied from
    the task or a result.

    Args:
        toolbox: The tools; arguments with a list of choices are not checked.
    """
    free = {
        tool.name: [
            name
            for name, part in tool.parameters["properties"].items()
            if part["type"] == "string" and "enum" not in part
        ]
        for tool in toolbox.tools
    }

    def check(run: Run) -> str | None:
        if run.ending is not Ending.ANSWERED:
            return f"There is no answer: {run.ending}."
        if not run.calls:
            return "No tool was used."
        sources = [run.task]
        for step in run.steps:
            if step.result is None:
                continue
            if step.call is None or step.result.is_error:
                return f"A call failed: {step.reply}"
            spans = copied_spans(sources)
            for name in free[step.call.name]:
                if step.call.arguments[name] not in spans:
                    return f"{step.call.arguments[name]!r} is not in the task."
            sources.append(step.result.text)
        return None

    return check


def doubt(
    model: DecoderLM,
    tokenizer: BPETokenizer,
    template: ChatTemplate,
    runs: Sequence[Run],
) -> list[float]:
    """Return log p(No) - log p(Yes), in nats, of a model that is asked whether a run is
    right: a checker of the same kind as the writer.

    Args:
        model: The model that checks.
        tokenizer: Its tokenizer.
        template: Its chat template.
        runs: The runs to check.
    """
    prompts = [
        template.encode(
            tokenizer,
            [
                Message(
                    "user",
                    f"Task: {run.task}\n"
                    f"Calls: {'; '.join(map(str, run.calls)) or 'none'}\n"
                    f"Answer: {run.answer}\nIs that right? Say Yes or No.",
                )
            ],
        )
        for run in runs
    ]
    options = [tokenizer.encode(word) for word in ("No", "Yes")]
    scores = option_log_likelihoods(model, prompts, options)
    return (scores[:, 0] - scores[:, 1]).to(torch.float64).tolist()
