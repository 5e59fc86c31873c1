"""Tasks for agents: sixty in six families with their judge, traces to learn from, files
that attack, and thirty programs that try to leave the sandbox.
"""

from genai_tutorial.tasks.agent.agent_tasks import (
    FAMILIES,
    TAUGHT_FAMILIES,
    AgentTask,
    agent_tasks,
    draw_task,
    taught_tasks,
)
from genai_tutorial.tasks.agent.attacks import (
    FILE_ATTACKS,
    HARMFUL_TOOLS,
    NEEDED_TOOLS,
    VICTIM,
    attacked_files,
    attacked_tasks,
)
from genai_tutorial.tasks.agent.escape import Escape
from genai_tutorial.tasks.agent.escapes import (
    ESCAPE_LIMITS,
    ESCAPED,
    ESCAPES,
    got_out,
    try_escapes,
)
from genai_tutorial.tasks.agent.plans import split_task
from genai_tutorial.tasks.agent.policies import (
    agent_mask,
    constrained,
    copying,
    described_policy,
    example_policy,
    plain_policy,
    tool_description,
    tuned_policy,
)
from genai_tutorial.tasks.agent.scripts import right_policy
from genai_tutorial.tasks.agent.server import server_command
from genai_tutorial.tasks.agent.traces import (
    AGENT_CHAT,
    TRACES,
    encode_traces,
    example_messages,
    families,
    trace,
    trace_loss,
)
from genai_tutorial.tasks.agent.world import (
    TASK_TOOLS,
    World,
    agent_toolbox,
    taught_world,
    world_of_tasks,
    write_files,
)

__all__ = [
    "AGENT_CHAT",
    "ESCAPED",
    "ESCAPES",
    "ESCAPE_LIMITS",
    "FAMILIES",
    "FILE_ATTACKS",
    "HARMFUL_TOOLS",
    "NEEDED_TOOLS",
    "TASK_TOOLS",
    "TAUGHT_FAMILIES",
    "TRACES",
    "VICTIM",
    "AgentTask",
    "Escape",
    "World",
    "agent_mask",
    "agent_tasks",
    "agent_toolbox",
    "attacked_files",
    "attacked_tasks",
    "constrained",
    "copying",
    "described_policy",
    "draw_task",
    "encode_traces",
    "example_messages",
    "example_policy",
    "families",
    "got_out",
    "plain_policy",
    "right_policy",
    "server_command",
    "split_task",
    "taught_tasks",
    "taught_world",
    "tool_description",
    "trace",
    "trace_loss",
    "try_escapes",
    "tuned_policy",
    "world_of_tasks",
    "write_files",
]
