"""The same agent as a graph of LangGraph: its state, its nodes, its edges, with our
policy as chat model.
"""

import os
from collections.abc import Sequence
from typing import Any

from genai_tutorial.agents.calls import ToolCall, parse_call, write_call
from genai_tutorial.agents.consent import Consent, refuse_all, with_consent
from genai_tutorial.agents.policy import Policy, result_message
from genai_tutorial.agents.tools import Tool, Toolbox
from genai_tutorial.runtime import require
from genai_tutorial.tokenization import Message


def langgraph_agent(
    policy: Policy, toolbox: Toolbox, consent: Consent = refuse_all
) -> Any:
    """Return a compiled graph that asks the policy, calls tools, and repeats until the
    policy answers in words. Its calls and answers are those of an `Agent` that does not
    refuse repeated calls.

    Args:
        policy: Decides the next message.
        toolbox: The tools.
        consent: Asked before a tool that needs consent.

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
    builder.add_node(
        "tools",
        prebuilt.ToolNode(
            [_langchain_tool(tool) for tool in gated.tools], handle_tool_errors=True
        ),
    )
    builder.add_edge(graph.START, "policy")
    builder.add_conditional_edges("policy", prebuilt.tools_condition)
    builder.add_edge("tools", "policy")
    return builder.compile()


def run_langgraph(graph: Any, task: str, steps: int = 6) -> tuple[list[ToolCall], str]:
    """Run a graph on a task, and return its calls and its answer.

    Args:
        graph: The graph, from `langgraph_agent`.
        task: The task.
        steps: The largest number of messages of the policy.

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
