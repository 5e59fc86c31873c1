"""Planning: split a task into smaller ones first, and give each to the agent."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from genai_tutorial.agents.loop import COULD_NOT, Agent, Run

_PLACE = re.compile(r"\{(\d+)\}")


@dataclass(frozen=True)
class Plan:
    """Tasks to be done in order.

    Attributes:
        tasks: The tasks; `{1}` stands for the answer to the first, and so on.

    Raises:
        ValueError: If there is no task, or one refers to a later one.

    >>> Plan(("What is the capital of Peru?", "How long is the word {1}?")).filled(
    ...     ["Lima"]
    ... )
    'How long is the word Lima?'
    """

    tasks: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.tasks:
            raise ValueError("A plan needs at least one task, got none.")
        for number, task in enumerate(self.tasks, start=1):
            if wrong := [n for n in _PLACE.findall(task) if not 0 < int(n) < number]:
                raise ValueError(
                    f"Task {number} refers to the answer of task {wrong[0]}, which is "
                    "not an earlier one."
                )

    def filled(self, answers: Sequence[str]) -> str:
        """Return the next task, with the answers to the earlier ones in it."""
        task = self.tasks[len(answers)]
        return _PLACE.sub(lambda place: answers[int(place[1]) - 1], task)


@dataclass(frozen=True)
class PlannedRun:
    """A plan with the runs of its tasks.

    Attributes:
        plan: The plan.
        runs: The run of each task that was begun.
        answer: The answer to the last task, or `COULD_NOT` if one failed.
    """

    plan: Plan
    runs: tuple[Run, ...]
    answer: str


def plan_and_execute(
    agent: Agent, plan: Callable[[str], Plan], tasks: Sequence[str]
) -> list[PlannedRun]:
    """Make a plan for each task, and let the agent carry it out; the answer to the last
    task of a plan is the answer to the whole.

    Args:
        agent: Carries out one task of a plan at a time.
        plan: Returns the plan for a task.
        tasks: The tasks.

    Source: Wang et al., Plan-and-Solve Prompting, https://arxiv.org/abs/2305.04091
    """
    plans = [plan(task) for task in tasks]
    runs: list[list[Run]] = [[] for _ in tasks]
    while places := [
        place
        for place, (one, done) in enumerate(zip(plans, runs, strict=True))
        if len(done) < len(one.tasks) and all(run.answer != COULD_NOT for run in done)
    ]:
        asked = [
            plans[place].filled([run.answer for run in runs[place]]) for place in places
        ]
        for place, run in zip(places, agent.run_all(asked), strict=True):
            runs[place].append(run)
    return [
        PlannedRun(one, tuple(done), done[-1].answer)
        for one, done in zip(plans, runs, strict=True)
    ]


def chain_success(one: float, steps: int) -> float:
    """Return the probability that all steps succeed, if each does independently with
    the same probability.

    >>> round(chain_success(0.95, steps=20), 2)
    0.36
    """
    return one**steps
