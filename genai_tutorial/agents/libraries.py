"""The same agent with the libraries that practitioners use: tools with the official SDK
of the Model Context Protocol, and the loop as a graph of LangGraph.
"""

import functools
import os
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from genai_tutorial.runtime import require
from genai_tutorial.tokenization import Message

from .calls import ToolCall, parse_call, write_call
from .policy import Policy, result_message
from .tools import Tool, Toolbox, ToolError, ToolResult
from .wrappers import Consent, refuse_all, with_consent


def sdk_server(toolbox: Toolbox) -> Any:
    """Return the SDK's server of some tools; `run()` serves standard input.

    The SDK makes the schemas itself, from the same signatures. It hides the message of
    an ordinary exception from the model, so ours are raised again as its `ToolError`.

    Raises:
        ImportError: If the SDK is not installed.
    """
    require("mcp", "agents")
    from mcp.server import MCPServer
    from mcp.types import ToolAnnotations

    server = MCPServer("tools", log_level="ERROR")
    for tool in toolbox.tools:
        server.add_tool(
            _with_sdk_errors(tool),
            tool.name,
            description=tool.description,
            annotations=ToolAnnotations(read_only_hint=not tool.needs_consent),
            structured_output=False,
        )
    return server


async def call_with_sdk(
    command: Sequence[str], calls: Sequence[ToolCall]
) -> tuple[list[dict[str, Any]], list[ToolResult]]:
    """Start a server, and return its tools and the results of some calls, by the SDK's
    client.

    Raises:
        ImportError: If the SDK is not installed.
    """
    require("mcp", "agents")
    from mcp import ClientSession, StdioServerParameters
    from mcp.client.stdio import stdio_client

    parameters = StdioServerParameters(command=command[0], args=list(command[1:]))
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        async with (
            stdio_client(parameters, errlog=nowhere) as (read, write),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            listed = await session.list_tools()
            results = [
                await session.call_tool(call.name, dict(call.arguments))
                for call in calls
            ]
    tools = [
        {
            "name": tool.name,
            "description": tool.description,
            "inputSchema": tool.input_schema,
        }
        for tool in listed.tools
    ]
    return tools, [
        ToolResult("\n".join(part.text for part in one.content), bool(one.is_error))
        for one in results
    ]


def _with_sdk_errors(tool: Tool) -> Any:
    exceptions: ModuleType = require("mcp.server.mcpserver.exceptions", "agents")

    @functools.wraps(tool.function)
    def call(**arguments: object) -> object:
        try:
            return tool.function(**arguments)
        except ToolError as error:
            raise exceptions.ToolError(str(error)) from error

    return call


def langgraph_agent(
    policy: Policy, toolbox: Toolbox, consent: Consent = refuse_all
) -> Any:
    """Return a compiled graph that asks the policy, calls tools, and repeats until the
    policy answers in words.

    Raises:
        ImportError: If LangGraph is not installed.

    Source: LangGraph's own example of a ReAct agent, with `ToolNode` and
        `tools_condition`, https://docs.langchain.com/oss/python/langgraph
    """
    # nothing is sent anywhere, whatever the environment says
    os.environ["LANGSMITH_TRACING"] = "false"
    graph = require("langgraph.graph", "agents")
    prebuilt = require("langgraph.prebuilt", "agents")
    messages = require("langchain_core.messages", "agents")

    gated = with_consent(toolbox, consent)

    def ask_policy(state: dict) -> dict:
        (reply,) = policy.replies([_as_conversation(state["messages"])])
        return {"messages": [_as_langchain(reply.text, messages.AIMessage)]}

    builder = graph.StateGraph(graph.MessagesState)
    builder.add_node("policy", ask_policy)
    # without handle_tool_errors, an exception of a tool ends the run
    tools = [_langchain_tool(tool) for tool in gated.tools]
    builder.add_node("tools", prebuilt.ToolNode(tools, handle_tool_errors=True))
    builder.add_edge(graph.START, "policy")
    builder.add_conditional_edges("policy", prebuilt.tools_condition)
    builder.add_edge("tools", "policy")
    return builder.compile()


def run_langgraph(graph: Any, task: str, steps: int = 6) -> tuple[list[ToolCall], str]:
    """Run a graph from `langgraph_agent` on a task, for so many messages of the policy,
    and return its calls and its answer.

    Raises:
        RecursionError: If there is no answer after so many messages.
        CallError: If the policy writes a broken call.
    """
    state = graph.invoke(
        {"messages": [("user", task)]}, {"recursion_limit": 2 * steps + 1}
    )
    calls = [
        ToolCall(call["name"], call["args"])
        for message in state["messages"]
        if message.type == "ai"
        for call in message.tool_calls
    ]
    return calls, state["messages"][-1].content


def _langchain_tool(tool: Tool) -> Any:
    tools = require("langchain_core.tools", "agents")

    def call(**arguments: object) -> str:
        result = tool.call(arguments)
        if result.is_error:
            raise tools.ToolException(result.text)
        return result.text

    return tools.StructuredTool.from_function(
        call,
        name=tool.name,
        description=tool.description,
        args_schema=dict(tool.parameters),
        handle_tool_error=True,
    )


def _as_langchain(text: str, ai_message: type) -> Any:
    """Return a reply as LangChain's message, with the call apart from the text."""
    call = parse_call(text)
    if call is None:
        return ai_message(text)
    called = {"name": call.name, "args": dict(call.arguments), "id": "1"}
    return ai_message("", tool_calls=[called])


def _as_conversation(messages: Sequence[Any]) -> list[Message]:
    """Return LangChain's messages as our conversation."""
    conversation = []
    for message in messages:
        if message.type == "tool":
            conversation.append(result_message(message.content))
        elif message.type == "ai":
            (call,) = message.tool_calls
            text = write_call(ToolCall(call["name"], call["args"]))
            conversation.append(Message("assistant", text))
        else:
            conversation.append(Message("user", message.content))
    return conversation
