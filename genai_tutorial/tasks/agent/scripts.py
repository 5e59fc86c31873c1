"""The policy that makes every right call: for tests of everything around the model."""

from collections.abc import Sequence

from genai_tutorial.agents import (
    COULD_NOT,
    Conversation,
    Reply,
    last_results,
    write_call,
)
from genai_tutorial.tasks.agent.agent_tasks import AgentTask


class _RightPolicy:
    def __init__(self, tasks: Sequence[AgentTask]) -> None:
        self.steps = {task.question: task.steps for task in tasks}

    def replies(self, conversations: Sequence[Conversation]) -> list[Reply]:
        return [Reply(self._next(conversation)) for conversation in conversations]

    def _next(self, conversation: Conversation) -> str:
        steps, results = self.steps[conversation[0].content], last_results(conversation)
        if results and results[-1].startswith("Error"):
            return COULD_NOT
        if len(results) < len(steps):
            return write_call(steps[len(results)][0])
        return results[-1]


def right_policy(tasks: Sequence[AgentTask]) -> _RightPolicy:
    """Return a policy that makes the right calls of each task and answers with the last
    result; after an error it says that it could not.

    Args:
        tasks: The tasks that it knows.
    """
    return _RightPolicy(tasks)
