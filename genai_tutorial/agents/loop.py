"""The loop of an agent: ask the policy, carry out the call, show the result, repeat
until there is an answer or the budget is used up.
"""

import math
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from genai_tutorial.agents.calls import CallError, ToolCall, parse_call, write_call
from genai_tutorial.agents.consent import Consent, refuse_all, with_consent
from genai_tutorial.agents.policy import Conversation, Policy, Reply, result_message
from genai_tutorial.agents.recovery import limited
from genai_tutorial.agents.tools import Toolbox, ToolResult
from genai_tutorial.tokenization import Message

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
        tokens: The number of tokens after which no further message is asked for.
        seconds: The time after which no further message is asked for and a call is
            given up; None for no limit.

    Raises:
        ValueError: If one of them is not a positive number.
    """

    steps: int = 6
    tokens: int = 1_000
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
    """One turn of the loop.

    Attributes:
        reply: The policy's message.
        call: The call in the message; None for an answer or a broken call.
        result: The result of the call; None for an answer.
    """

    reply: str
    call: ToolCall | None = None
    result: ToolResult | None = None


@dataclass(frozen=True)
class Run:
    """The record of an agent's work on a task.

    Attributes:
        task: The task.
        steps: The turns of the loop.
        answer: The answer, or `COULD_NOT`.
        ending: Why the run ended.
        tokens: The number of tokens that the policy wrote.
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
        policy: Decides the next message.
        toolbox: The tools that may be called.
        budget: The limits of a run.
        consent: Asked before a tool that needs consent; None refuses such calls.
        refuses_repeats: Whether a call that has been made before is refused with a
            message, because its result would be the same. Two refusals in a row end the
            run.
        watch: Called with each turn of the loop as soon as it is over.

    Source: Yao et al., ReAct, https://arxiv.org/abs/2210.03629
    """

    policy: Policy
    toolbox: Toolbox
    budget: Budget = field(default_factory=Budget)
    consent: Consent | None = None
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
            if [one.result for one in steps[-2:]] == [_REPEATED, _REPEATED]:
                ending, answer = Ending.STUCK, COULD_NOT
                break
            ending = self._exhausted(len(steps), tokens, end - time.monotonic())
            if ending is not None:
                answer = COULD_NOT
                break
            conversation += [
                Message("assistant", reply.text),
                result_message(step.result.text),
            ]
        return Run(task, tuple(steps), answer, ending, tokens)

    def _act(
        self, reply: str, before: Sequence[AgentStep], seconds: float
    ) -> AgentStep:
        """Carry out what the policy wrote, in the time that is left."""
        try:
            call = parse_call(reply)
        except CallError as error:
            return AgentStep(reply, None, ToolResult(f"Error: {error}", is_error=True))
        if call is None:
            return AgentStep(reply)
        text = write_call(call)
        repeated = any(
            step.call is not None and write_call(step.call) == text for step in before
        )
        if repeated and self.refuses_repeats:
            return AgentStep(reply, call, _REPEATED)
        toolbox = with_consent(
            limited(self.toolbox, seconds), self.consent or refuse_all
        )
        return AgentStep(reply, call, toolbox.call(call))

    def _exhausted(self, steps: int, tokens: int, seconds: float) -> Ending | None:
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
