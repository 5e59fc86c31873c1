"""Tasks for an agent in six families, each with the calls that solve it and a judge."""

import random
import re
from dataclasses import dataclass
from functools import cache

from genai_tutorial.agents import ToolCall
from genai_tutorial.tasks.agent.drawing import DRAW
from genai_tutorial.tasks.agent.world import World, taught_world, world_of_tasks

FAMILIES = ("arithmetic", "Factbook", "files", "words", "Python", "two steps")
"""The families of tasks."""

TAUGHT_FAMILIES = (*FAMILIES, "writing")
"""The families of the traces: also to write a file, which needs consent and is not
measured.
"""

PER_FAMILY = 10
"""The number of tasks of each family."""


@dataclass(frozen=True)
class AgentTask:
    """A task with the calls that solve it.

    Attributes:
        question: The question for the agent.
        family: One of `TAUGHT_FAMILIES`.
        steps: The calls with their results; the last result is the answer.
        held_out: Whether the phrasing is in no trace.
    """

    question: str
    family: str
    steps: tuple[tuple[ToolCall, str], ...]
    held_out: bool

    @property
    def answer(self) -> str:
        """The right answer."""
        return self.steps[-1][1]

    @property
    def tools(self) -> tuple[str, ...]:
        """The tools that the task needs, in order."""
        return tuple(call.name for call, _ in self.steps)

    def is_right(self, answer: str) -> bool:
        """Judge an answer, leniently: the right one has to appear in it as whole words,
        a number as the last one.

        >>> task = AgentTask("2 + 2?", "arithmetic", ((ToolCall("", {}), "4"),), False)
        >>> task.is_right("2 + 2 is 4."), task.is_right("4 or 5"), task.is_right("42")
        (True, False, False)
        """
        right = self.answer.strip().rstrip(".")
        if re.fullmatch(r"-?\d+", right):
            return re.findall(r"-?\d+", answer.replace(",", ""))[-1:] == [right]
        pattern = rf"(?<!\w){re.escape(right)}(?!\w)"
        return re.search(pattern, answer, re.IGNORECASE) is not None


@cache
def agent_tasks() -> tuple[AgentTask, ...]:
    """Return the 60 tasks, family by family; in each, every second phrasing is held
    out.

    >>> tasks = agent_tasks()
    >>> len(tasks), tasks[0].question
    (60, 'What is 796 minus 65?')
    """
    world, generator = world_of_tasks(), random.Random(0)
    tasks: list[AgentTask] = []
    for family in FAMILIES:
        while sum(task.family == family for task in tasks) < PER_FAMILY:
            task = draw_task(family, world, generator, held_out=len(tasks) % 2 == 1)
            if task.steps not in [one.steps for one in tasks]:
                tasks.append(task)
    return tuple(tasks)


@cache
def taught_tasks(count: int, seed: int = 0) -> tuple[AgentTask, ...]:
    """Draw tasks for traces: other numbers, countries, files, words and programs than
    in the 60 tasks, in the phrasings that are not held out. The families take turns.

    Args:
        count: The number of tasks.
        seed: The same seed draws the same tasks.

    Raises:
        ValueError: If `count` is below 1.
    """
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}.")
    world, generator = taught_world(seed), random.Random(f"traces {seed}")
    tested = {task.answer for task in agent_tasks() if task.family == "arithmetic"}
    tasks: list[AgentTask] = []
    while len(tasks) < count:
        family = TAUGHT_FAMILIES[len(tasks) % len(TAUGHT_FAMILIES)]
        task = draw_task(family, world, generator, held_out=False)
        if family != "arithmetic" or task.answer not in tested:
            tasks.append(task)
    return tuple(tasks)


def draw_task(
    family: str, world: World, generator: random.Random, held_out: bool
) -> AgentTask:
    """Draw one task.

    Args:
        family: One of `TAUGHT_FAMILIES`.
        world: The facts, files and words to draw from.
        generator: Random generator of the draw.
        held_out: Whether to use the phrasings that no trace has.

    Raises:
        ValueError: If there is no such family.
    """
    if family not in DRAW:
        raise ValueError(f"family must be one of {', '.join(DRAW)}; got {family!r}.")
    question, steps = DRAW[family](world, generator, held_out)
    return AgentTask(question, family, tuple(steps), held_out)
