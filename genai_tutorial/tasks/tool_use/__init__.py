"""Tasks for agents: sixty in six families with their judge, traces to learn from, files
that attack, and thirty programs that try to leave the sandbox.

Read `world`, which has the files, facts and tools, then `tasks` and `policies`, the
set-ups that are compared. `escapes` has the programs.
"""

from .escapes import ESCAPED, ESCAPES, Escape, got_out, try_escapes
from .policies import (
    TRACES,
    agent_mask,
    constrained,
    copying,
    described_policy,
    encode_traces,
    example_policy,
    families,
    plain_policy,
    trace,
    trace_loss,
    tuned_policy,
)
from .tasks import (
    FILE_ATTACKS,
    HARMFUL_TOOLS,
    NEEDED_TOOLS,
    VICTIM,
    AgentTask,
    agent_tasks,
    attacked_files,
    attacked_tasks,
    right_policy,
    split_task,
    taught_tasks,
)
from .world import (
    TASK_TOOLS,
    TaskWorld,
    agent_toolbox,
    server_command,
    world_of_tasks,
    write_files,
)
