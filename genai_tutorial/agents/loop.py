"""The loop of an agent: ask the policy, carry out the call, show the result, repeat
until there is an answer or the budget is used up; and a plan, which is a loop per step.
"""

import math
import re
import time
from collections.abc import Callable, Collection, Generator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from genai_tutorial.tokenization import Message

from .calls import CallError, ToolCall, parse_call, write_call
from .policy import Conversation, Policy, Reply, result_message
from .tools import Toolbox, ToolResult
from .wrappers import Consent, limited, refuse_all, with_consent

COULD_NOT = "I could not find out."
"""The answer of an agent that has used up its budget; it is honest, but not right."""

_REPEATED = ToolResult(
    "Error: this call has been made already. Do something else, or answer.",
    is_error=True,
)


class Ending(StrEnum):
    """Why a run ended."""

    ANSWERED = "answered"
    OUT_OF_STEPS = "out of steps"
    OUT_OF_TOKENS = "out of tokens"
    OUT_OF_TIME = "out of time"
    STUCK = "stuck"


@dataclass(frozen=True)
class Budget:
    """The limits of a run.

    Attributes:
        steps: The largest number of messages of the policy, the answer included.
        tokens: After so many no further message is asked for.
        seconds: The same, and a call is given up; None for no limit.

    Raises:
        ValueError: If one of them is not a positive number.
    """

    steps: float | int = 6
    tokens: float | int = 1_000
    seconds: float | int | None = 120.0

    def __post_init__(self) -> None:
        seconds = 1 if self.seconds is None else self.seconds
        if not all(0 < one < math.inf for one in (self.steps, self.tokens, seconds)):
            raise ValueError(
                f"The numbers of a budget must be positive and finite, got {self}; "
                "seconds=None sets no limit on time."
            )


@dataclass(frozen=True)
class AgentStep:
    """One turn of the loop: the policy's message, the call in it (None for an answer or
    a broken call), and the call's result (None for an answer).
    """

    reply: str
    call: ToolCall | None = None
    result: ToolResult | None = None


@dataclass(frozen=True)
class Run:
    """An agent's work on a task: the turns of the loop, the answer or `COULD_NOT`, why
    it ended, and the number of tokens that the policy wrote.
    """

    task: str
    steps: tuple[AgentStep, ...]
    answer: str
    ending: Ending
    tokens: int = 0

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """The calls, in order, also those that were refused or failed."""
        return tuple(step.call for step in self.steps if step.call is not None)


@dataclass(frozen=True)
class Agent:
    """A policy with tools.

    Attributes:
        consent: Asked before a tool that needs consent.
        refuses_repeats: If true, a call that has been made before is refused with a
            message, because its result would be the same. Two refusals in a row end the
            run.
        watch: Called with each turn of the loop as soon as it is over.

    Source: Yao et al., ReAct, https://arxiv.org/abs/2210.03629
    """

    policy: Policy
    toolbox: Toolbox
    budget: Budget = Budget()
    consent: Consent = refuse_all
    refuses_repeats: bool = True
    watch: Callable[[AgentStep], None] | None = None

    def run(self, task: str) -> Run:
        """Work on one task."""
        return self.run_all([task])[0]

    def run_all(self, tasks: Sequence[str]) -> list[Run]:
        """Work on many tasks side by side: the policy gets all conversations that wait
        for its next message at once. The runs are the same as for each task alone.
        """
        episodes = [self._episode(task) for task in tasks]
        waiting = {place: next(episode) for place, episode in enumerate(episodes)}
        runs: dict[int, Run] = {}
        while waiting:
            replies = self.policy.replies(list(waiting.values()))
            for place, reply in zip(list(waiting), replies, strict=True):
                try:
                    waiting[place] = episodes[place].send(reply)
                except StopIteration as ended:
                    runs[place] = ended.value
                    del waiting[place]
        return [runs[place] for place in range(len(tasks))]

    def _episode(self, task: str) -> Generator[Conversation, Reply, Run]:
        """Yield the conversation whenever it is the policy's turn, and receive its
        reply; return the run.
        """
        conversation = [Message("user", task)]
        steps: list[AgentStep] = []
        seconds = self.budget.seconds
        tokens, end = 0, math.inf if seconds is None else time.monotonic() + seconds
        while True:
            reply = yield conversation
            tokens += reply.tokens
            step = self._act(reply.text, steps, end - time.monotonic())
            steps.append(step)
            if self.watch is not None:
                self.watch(step)
            if step.result is None:
                ending, answer = Ending.ANSWERED, reply.text
                break
            answer = COULD_NOT
            if [one.result for one in steps[-2:]] == [_REPEATED, _REPEATED]:
                ending = Ending.STUCK
                break
            ending = self._exhausted(len(steps), tokens, end - time.monotonic())
            if ending is not None:
                break
            result = result_message(step.result.text)
            conversation += [Message("assistant", reply.text), result]
        return Run(task, tuple(steps), answer, ending, tokens)

    def _act(
        self, reply: str, before: list[AgentStep], seconds: float | int
    ) -> AgentStep:
        """Carry out what the policy wrote, in the time that is left."""
        try:
            call = parse_call(reply)
        except CallError as error:
            return AgentStep(reply, None, ToolResult(f"Error: {error}", is_error=True))
        if call is None:
            return AgentStep(reply)
        made = [write_call(step.call) for step in before if step.call is not None]
        if write_call(call) in made and self.refuses_repeats:
            return AgentStep(reply, call, _REPEATED)
        toolbox = with_consent(limited(self.toolbox, seconds), self.consent)
        return AgentStep(reply, call, toolbox.call(call))

    def _exhausted(
        self, steps: int, tokens: int, seconds: float | int
    ) -> Ending | None:
        """Return which limit is reached, given the seconds that are left."""
        if steps >= self.budget.steps:
            return Ending.OUT_OF_STEPS
        if tokens >= self.budget.tokens:
            return Ending.OUT_OF_TOKENS
        return Ending.OUT_OF_TIME if seconds <= 0 else None


def show_run(run: Run) -> str:
    """Return a run as text: the task, each call with its result, and the answer."""
    lines = [f"Task    {run.task}"]
    for number, step in enumerate(run.steps, start=1):
        if step.result is not None:
            lines += [
                f"{number}  call   {step.call or step.reply}",
                f"   result {step.result.text}",
            ]
    return "\n".join([*lines, f"Answer  {run.answer}  ({run.ending})"])


def harmful_calls(run: Run, harmful: Collection[str]) -> tuple[ToolCall, ...]:
    """Return the calls of a run to harmful tools that were carried out."""
    return tuple(
        step.call
        for step in run.steps
        if step.call and step.call.name in harmful and not step.result.is_error
    )


_PLACE = re.compile(r"\{(\d+)\}")


@dataclass(frozen=True)
class Plan:
    """Tasks to be done in order; `{1}` in a task stands for the answer to the first,
    and so on.

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
    """A plan, the run of each task that was begun, and the answer to the last task, or
    `COULD_NOT` if one failed.
    """

    plan: Plan
    runs: tuple[Run, ...]
    answer: str


def plan_and_execute(
    agent: Agent, plan: Callable[[str], Plan], tasks: Sequence[str]
) -> list[PlannedRun]:
    """Make a plan for each task, and let the agent carry out the tasks of the plan, one
    at a time; the answer to the last of them is the answer to the whole.

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
