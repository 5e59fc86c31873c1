"""Agents: a language model that calls tools in a loop, with files in a jail, code in
the sandbox, budgets, consent, recovery, memory and plans.

Read `tools`, `calls` and `policy`, then `loop`; `editing` has the tools of a coding
agent.
"""

from .builtin import (
    calculator,
    count_letters,
    file_tools,
    lookup_tool,
    python_tool,
    search_tool,
)
from .calls import (
    CallError,
    ToolCall,
    call_pattern,
    copied_spans,
    copying_pattern,
    parse_call,
    write_call,
)
from .editing import (
    TESTS_FILE,
    editing_tools,
    replace_once,
    run_tests_tool,
    smallest_edit,
)
from .jail import FileJail, JailError
from .libraries import call_with_sdk, langgraph_agent, run_langgraph, sdk_server
from .loop import (
    COULD_NOT,
    Agent,
    AgentStep,
    Budget,
    Ending,
    Plan,
    PlannedRun,
    Run,
    chain_success,
    harmful_calls,
    plan_and_execute,
    show_run,
)
from .mcp import MCPClient, serve_tools
from .memory import LongTermMemory, compacted, memory_tools, shortened
from .policy import (
    Conversation,
    Grammar,
    ModelPolicy,
    Policy,
    Reply,
    ScriptedPolicy,
    calibrate,
    copying_grammar,
    free_grammar,
    last_results,
    result_message,
    tool_scores,
)
from .tools import Tool, Toolbox, ToolError, ToolResult, tool_schema
from .wrappers import (
    Consent,
    allow_all,
    flaky,
    marked_results,
    refuse_all,
    retrying,
)
