"""The Model Context Protocol by hand: requests and answers, and a client with its
server.
"""

import io
import json
import sys

import pytest

from genai_tutorial.agents import (
    MCPClient,
    MCPError,
    Tool,
    Toolbox,
    ToolCall,
    ToolError,
    answer,
    serve,
)


def half(n: int) -> float:
    """Halve an even number."""
    if n % 2:
        raise ToolError(f"{n} is odd.")
    return n / 2


BOX = Toolbox((Tool.from_function(half),))
SERVER = """
from genai_tutorial.agents import Tool, Toolbox, ToolError, serve
import sys

def half(n: int) -> float:
    \"\"\"Halve an even number.\"\"\"
    if n % 2:
        raise ToolError(f"{n} is odd.")
    return n / 2

def wipe(path: str) -> str:
    \"\"\"Delete a file.\"\"\"
    return "gone"

serve(
    Toolbox((Tool.from_function(half), Tool.from_function(wipe, needs_consent=True))),
    sys.stdin,
    sys.stdout,
)
"""


def asked(method, **parameters):
    request = {"jsonrpc": "2.0", "id": 7, "method": method, "params": parameters}
    return answer(BOX, request)


def test_answer_to_initialize_names_protocol_and_capabilities():
    result = asked("initialize", protocolVersion="2025-06-18")["result"]
    assert result["protocolVersion"] == "2025-06-18"
    assert result["capabilities"] == {"tools": {}}
    assert set(result["serverInfo"]) == {"name", "version"}


def test_answer_to_tools_list_has_schemas():
    (tool,) = asked("tools/list")["result"]["tools"]
    assert tool["name"] == "half"
    assert tool["inputSchema"]["required"] == ["n"]
    assert tool["annotations"] == {"readOnlyHint": True}


@pytest.mark.parametrize(
    ("arguments", "text", "is_error"),
    [({"n": 8}, "4.0", False), ({"n": 3}, "Error: 3 is odd.", True)],
)
def test_answer_to_tools_call_is_the_result(arguments, text, is_error):
    assert asked("tools/call", name="half", arguments=arguments)["result"] == {
        "content": [{"type": "text", "text": text}],
        "isError": is_error,
    }


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ([], -32600),
        ({"id": 1}, -32600),
        ({"id": 1, "method": "resources/list"}, -32601),
        ({"id": 1, "method": "tools/call", "params": {}}, -32602),
    ],
)
def test_answer_to_a_wrong_request_is_an_error(request_, code):
    assert answer(BOX, request_)["error"]["code"] == code


def test_serve_answers_line_by_line_and_notifications_not_at_all():
    lines = [
        "not JSON\n",
        json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}) + "\n",
        json.dumps({"jsonrpc": "2.0", "id": 2, "method": "ping"}) + "\n",
    ]
    replies = io.StringIO()
    serve(BOX, lines, replies)
    first, second = map(json.loads, replies.getvalue().splitlines())
    assert first["error"]["code"] == -32700
    assert second == {"jsonrpc": "2.0", "id": 2, "result": {}}


@pytest.mark.slow
def test_client_calls_the_tools_of_a_server():
    with MCPClient([sys.executable, "-c", SERVER]) as client:
        box = Toolbox(client.tools())
        assert box.names == ("half", "wipe")
        assert [tool.needs_consent for tool in box.tools] == [False, True]
        assert box.call(ToolCall("half", {"n": 8})).text == "4.0"
        wrong = box.call(ToolCall("half", {"n": 3}))
        assert (wrong.text, wrong.is_error) == ("Error: 3 is odd.", True)
        assert box.call(ToolCall("half", {"n": "8"})).is_error
        with pytest.raises(MCPError, match="no method"):
            client.request("resources/list", {})
    with pytest.raises(ValueError, match="Open the client first"):
        client.request("ping", {})


@pytest.mark.slow
def test_client_says_when_the_server_has_ended():
    ended = MCPClient([sys.executable, "-c", "pass"])
    with pytest.raises(MCPError, match="has ended"):
        ended.__enter__()
