"""Agents: a language model that calls tools in a loop, with files in a jail, code in
the sandbox, budgets, consent, recovery, memory and plans.
"""

from genai_tutorial.agents.builtin import (
    calculator,
    count_letters,
    file_tools,
    lookup_tool,
    python_tool,
    search_tool,
)
from genai_tutorial.agents.calls import (
    CallError,
    ToolCall,
    call_pattern,
    copied_spans,
    copying_pattern,
    parse_call,
    write_call,
)
from genai_tutorial.agents.choice import CalibratedPolicy, calibrate, tool_scores
from genai_tutorial.agents.consent import (
    Consent,
    allow_all,
    ask_person,
    refuse_all,
    with_consent,
)
from genai_tutorial.agents.injection import harmful_calls, marked_results, unasked_calls
from genai_tutorial.agents.jail import FileJail, JailError
from genai_tutorial.agents.langgraph_agent import langgraph_agent, run_langgraph
from genai_tutorial.agents.loop import (
    COULD_NOT,
    Agent,
    AgentStep,
    Budget,
    Ending,
    Run,
    show_run,
)
from genai_tutorial.agents.mcp_client import MCPClient, MCPError
from genai_tutorial.agents.mcp_sdk import call_with_sdk, sdk_server
from genai_tutorial.agents.mcp_server import answer, serve
from genai_tutorial.agents.memory import (
    LongTermMemory,
    ShortenedPolicy,
    memory_tools,
    shortened,
)
from genai_tutorial.agents.planner import (
    Plan,
    PlannedRun,
    chain_success,
    plan_and_execute,
)
from genai_tutorial.agents.policy import (
    Conversation,
    Grammar,
    ModelPolicy,
    Policy,
    Reply,
    ScriptedPolicy,
    copying_grammar,
    free_grammar,
    last_results,
    result_message,
)
from genai_tutorial.agents.recovery import (
    Unavailable,
    flaky,
    retrying,
    success_probability,
    with_fallback,
)
from genai_tutorial.agents.schema import check_arguments, tool_schema
from genai_tutorial.agents.team import (
    Checker,
    TeamRun,
    copy_checker,
    doubt,
    write_and_check,
)
from genai_tutorial.agents.tools import Tool, Toolbox, ToolError, ToolResult

__all__ = [
    "COULD_NOT",
    "Agent",
    "AgentStep",
    "Budget",
    "CalibratedPolicy",
    "CallError",
    "Checker",
    "Consent",
    "Conversation",
    "Ending",
    "FileJail",
    "Grammar",
    "JailError",
    "LongTermMemory",
    "MCPClient",
    "MCPError",
    "ModelPolicy",
    "Plan",
    "PlannedRun",
    "Policy",
    "Reply",
    "Run",
    "ScriptedPolicy",
    "ShortenedPolicy",
    "TeamRun",
    "Tool",
    "ToolCall",
    "ToolError",
    "ToolResult",
    "Toolbox",
    "Unavailable",
    "allow_all",
    "answer",
    "ask_person",
    "calculator",
    "calibrate",
    "call_pattern",
    "call_with_sdk",
    "chain_success",
    "check_arguments",
    "copied_spans",
    "copy_checker",
    "copying_grammar",
    "copying_pattern",
    "count_letters",
    "doubt",
    "file_tools",
    "flaky",
    "free_grammar",
    "harmful_calls",
    "langgraph_agent",
    "last_results",
    "lookup_tool",
    "marked_results",
    "memory_tools",
    "parse_call",
    "plan_and_execute",
    "python_tool",
    "refuse_all",
    "result_message",
    "retrying",
    "run_langgraph",
    "sdk_server",
    "search_tool",
    "serve",
    "shortened",
    "show_run",
    "success_probability",
    "tool_schema",
    "tool_scores",
    "unasked_calls",
    "with_consent",
    "with_fallback",
    "write_and_check",
    "write_call",
]
