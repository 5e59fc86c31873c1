"""The agents' own parts against the official SDK of the Model Context Protocol,
LangChain's schemas, and LangGraph.
"""

import asyncio
import copy
import socket
import sys
import threading
from typing import Literal

import pytest

from genai_tutorial import agents
from genai_tutorial.agents import ToolCall
from genai_tutorial.data import Fact
from genai_tutorial.sandbox import ProgramRunner
from genai_tutorial.tasks import tool_use

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="programs are not run on Windows"
)


def without(schema, *keys):
    """Return a schema without some keywords, at every level."""
    if isinstance(schema, dict):
        return {
            key: without(value, *keys)
            for key, value in schema.items()
            if key not in keys or not isinstance(value, str)
        }
    return schema


def order(
    item: str, price: float, colours: list[str], count: int = 1, gift: bool = False,
    size: Literal["small", "large"] = "small",
) -> str:  # fmt: skip
    """Order something.

    Args:
        item: What to order.
        price: The highest price.
        colours: The colours.
        count: How many.
        gift: Whether it is a gift.
        size: The size.
    """


@pytest.mark.slow
def test_tool_schema_equals_the_input_schema_of_the_sdk():
    """Titles are pydantic's; descriptions of arguments the SDK does not read."""
    server = agents.sdk_server(agents.Toolbox((agents.Tool.from_function(order),)))
    (tool,) = asyncio.run(server.list_tools())
    theirs = without(tool.input_schema, "title")
    assert theirs == without(agents.tool_schema(order), "description")


@pytest.mark.slow
def test_tool_schema_equals_the_one_of_langchain():
    from langchain_core.utils.function_calling import convert_to_openai_function

    theirs = copy.deepcopy(convert_to_openai_function(order)["parameters"])
    assert without(theirs, "title") == agents.tool_schema(order)


@pytest.fixture
def folder(tmp_path):
    tool_use.write_files(tmp_path, tool_use.world_of_tasks().files)
    return tmp_path


def assert_same(theirs, ours):
    """Check that results are equal; the SDK has words of its own before an error."""
    assert [one.is_error for one in theirs] == [one.is_error for one in ours]
    for their, our in zip(theirs, ours, strict=True):
        if our.is_error:
            assert their.text.endswith(our.text.removeprefix("Error: "))
        else:
            assert their == our


CALLS = (
    ToolCall("calculator", {"expression": "12 * 12"}),
    ToolCall("calculator", {"expression": "12 *"}),
    ToolCall("factbook_lookup", {"country": "Kenya", "field": "capital"}),
    ToolCall("count_lines", {"path": "diary.txt"}),
    ToolCall("read_file", {"path": "../secret"}),
    ToolCall("run_python", {"code": "print(2 ** 10)"}),
)


@pytest.mark.slow
def test_own_client_gets_the_same_from_both_servers(folder):
    """Results and errors, the names of the tools, and which of them need consent."""
    found = {}
    for kind in ("hand", "sdk"):
        with agents.MCPClient(tool_use.server_command(folder, kind)) as client:
            box = agents.Toolbox(client.tools())
            found[kind] = (
                [(one.name, one.description, one.needs_consent) for one in box.tools],
                [box.call(call) for call in CALLS],
            )
    assert found["hand"][0] == found["sdk"][0]
    assert_same(found["sdk"][1], found["hand"][1])
    texts = [result.text for result in found["hand"][1]]
    assert [texts[0], texts[2], texts[5]] == ["144", "Nairobi", "1024"]
    wrong = [result.is_error for result in found["hand"][1]]
    assert wrong == [False, True, False, False, True, False]


@pytest.mark.slow
def test_stateless_client_of_the_sdk_gets_the_same_from_both_servers(folder):
    """Without a handshake, in the revision of July 2026."""
    from mcp import StdioServerParameters
    from mcp.client import Client
    from mcp.client.stdio import stdio_client

    async def ask(kind):
        program, *arguments = tool_use.server_command(folder, kind)
        pipes = stdio_client(StdioServerParameters(command=program, args=arguments))
        async with Client(pipes) as client:  # a handshake only if discovery fails
            names = [tool.name for tool in (await client.list_tools()).tools]
            results = [
                await client.call_tool(call.name, dict(call.arguments))
                for call in CALLS
            ]
            return client.protocol_version, names, results

    (revision, names, ours), theirs = (asyncio.run(ask(k)) for k in ("hand", "sdk"))
    assert (revision, names) == theirs[:2]
    assert revision == "2026-07-28"
    assert_same(*([plain(one) for one in results] for results in (theirs[2], ours)))


def plain(result):
    """Return the SDK's result as ours."""
    text = "\n".join(part.text for part in result.content)
    return agents.ToolResult(text, bool(result.is_error))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["hand", "sdk"])
def test_client_of_the_sdk_gets_the_same_as_a_call_without_protocol(folder, kind):
    threads = threading.active_count()
    tools, results = asyncio.run(
        agents.call_with_sdk(tool_use.server_command(folder, kind), CALLS)
    )
    with ProgramRunner() as runner:
        box = tool_use.agent_toolbox(folder, runner)
        direct = [box.call(call) for call in CALLS]
    assert [tool["name"] for tool in tools] == list(box.names)
    assert_same(results, direct)
    assert threading.active_count() <= threads


FACTS = [Fact("Latvia", "capital", "Riga"), Fact("Latvia", "domain", ".lv")]


@pytest.mark.slow
def test_langgraph_makes_the_same_calls_on_all_tasks(folder, monkeypatch):
    """All 60 tasks with the right calls; nothing touches the network."""

    def refuse(*arguments, **settings):
        raise AssertionError("the network is not for tests")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    threads = threading.active_count()
    with ProgramRunner() as runner:
        box = tool_use.agent_toolbox(folder, runner)
        policy = tool_use.right_policy(tool_use.agent_tasks())
        graph = agents.langgraph_agent(policy, box)
        runs = agents.Agent(policy, box).run_all(
            [task.question for task in tool_use.agent_tasks()]
        )
        for task, run in zip(tool_use.agent_tasks(), runs, strict=True):
            assert run.answer == task.answer
            calls, answer = agents.run_langgraph(graph, task.question)
            assert (tuple(calls), answer) == (run.calls, run.answer)
    assert threading.active_count() <= threads + 1


@pytest.mark.slow
def test_langgraph_shows_the_policy_the_same_errors(tmp_path):
    """Wrong arguments, failures and a refused consent read alike in both."""
    box = agents.Toolbox(
        (agents.lookup_tool(FACTS), *agents.file_tools(agents.FileJail(tmp_path)))
    )
    capital = {"country": "Latvia", "field": "capital"}
    calls = [
        ToolCall("factbook_lookup", capital | {"country": "Latvian"}),
        ToolCall("factbook_lookup", {"country": "Latvia"}),
        ToolCall("delete_file", {"path": "a.txt"}),
        ToolCall("read_file", {"path": "../a.txt"}),
        ToolCall("factbook_lookup", capital),
    ]
    script = [*map(agents.write_call, calls), "Riga"]
    seen = []

    class Watching(agents.ScriptedPolicy):
        def replies(self, conversations):
            seen[-1] += [[message.content for message in one] for one in conversations]
            return super().replies(conversations)

    policy = Watching({"Task": script})
    seen.append([])
    run = agents.Agent(policy, box, agents.Budget(steps=9)).run("Task")
    seen.append([])
    calls, answer = agents.run_langgraph(
        agents.langgraph_agent(policy, box), "Task", steps=9
    )
    assert (tuple(calls), answer) == (run.calls, run.answer)
    assert seen[0] == seen[1]
    assert sum("Error" in text for text in seen[0][-1]) == 4


@pytest.mark.slow
def test_langgraph_ends_an_agent_that_never_answers():
    from langgraph.errors import GraphRecursionError

    policy = agents.ScriptedPolicy(
        {"Task": [agents.write_call(ToolCall("factbook_lookup", {}))]}
    )
    graph = agents.langgraph_agent(policy, agents.Toolbox((agents.lookup_tool(FACTS),)))
    with pytest.raises(GraphRecursionError):
        agents.run_langgraph(graph, "Task", steps=3)


def test_client_hands_a_server_the_same_variables_as_the_sdk(monkeypatch):
    from mcp.client.stdio import get_default_environment

    monkeypatch.setenv("API_KEY", "secret")
    assert agents.MCPClient(["any"]).environment == get_default_environment()
