"""The Model Context Protocol by hand: requests and answers, and a client with its
server.
"""

import io
import json
import os
import sys

import pytest

from genai_tutorial.agents import (
    MCPClient,
    Tool,
    Toolbox,
    ToolCall,
    ToolError,
    ToolResult,
    mcp,
    serve_tools,
)
from genai_tutorial.agents.mcp import MCPError, answer


def half(n: int) -> float:
    """Halve an even number."""
    if n % 2:
        raise ToolError(f"{n} is odd.")
    return n / 2


BOX = Toolbox((Tool.from_function(half),))
SERVER = """
from genai_tutorial.agents import Tool, Toolbox, ToolError, serve_tools
import sys

def half(n: int) -> float:
    \"\"\"Halve an even number.\"\"\"
    if n % 2:
        raise ToolError(f"{n} is odd.")
    return n / 2

def wipe(path: str) -> str:
    \"\"\"Delete a file.\"\"\"
    return "gone"

serve_tools(
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


def asked_statelessly(method, revision="2026-07-28", **parameters):
    meta = {"io.modelcontextprotocol/protocolVersion": revision}
    return asked(method, _meta=meta, **parameters)


def test_answer_to_stateless_requests_is_complete_and_says_how_long_lists_last():
    discovered = asked_statelessly("server/discover")["result"]
    assert discovered["supportedVersions"] == ["2026-07-28"]
    assert discovered["capabilities"] == {"tools": {}}
    listed = asked_statelessly("tools/list")["result"]
    assert listed["tools"] == asked("tools/list")["result"]["tools"]
    called = asked_statelessly("tools/call", name="half", arguments={"n": 8})["result"]
    assert called["content"] == [{"type": "text", "text": "4.0"}]
    for result in (discovered, listed, called):
        assert result["resultType"] == "complete"
    for result in (discovered, listed):
        assert (result["ttlMs"], result["cacheScope"]) == (0, "private")


@pytest.mark.parametrize("revision", ["2025-06-18", "", 7])
def test_answer_to_an_unknown_revision_names_the_known_one(revision):
    error = asked_statelessly("tools/list", revision)["error"]
    assert error["code"] == -32022
    assert error["data"] == {"supported": ["2026-07-28"], "requested": revision}


@pytest.mark.parametrize("method", ["initialize", "ping"])
def test_handshake_methods_do_not_exist_in_the_stateless_revision(method):
    assert "result" in asked(method)
    assert asked_statelessly(method)["error"]["code"] == -32601
    assert asked("server/discover")["error"]["code"] == -32601


def request_line(**changes):
    request = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"} | changes
    return json.dumps({key: value for key, value in request.items() if value != "gone"})


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("not JSON", -32700),
        ("[" * 100_000, -32700),
        ("9" * 10_000, -32700),
        ("[]", -32600),
        ("7", -32600),
        (request_line(method="gone"), -32600),
        (request_line(method=7), -32600),
        (request_line(method="ping", jsonrpc="gone"), -32600),
        (request_line(method="ping", jsonrpc=2.0), -32600),
        (request_line(method="ping", id={}), -32600),
        (request_line(method="ping", id=None), -32600),
        (request_line(method="ping", id=True), -32600),
        (request_line(method="resources/list"), -32601),
        (request_line(), -32602),
        (request_line(params=None), -32602),
        (request_line(params=[1]), -32602),
        (request_line(params="x"), -32602),
        (request_line(params=7), -32602),
        (request_line(params={"name": 7}), -32602),
        (request_line(params={"name": "half", "arguments": "a"}), -32602),
        (request_line(params={"name": "half", "arguments": '{"n": 8}'}), -32602),
        (request_line(params={"name": "half", "arguments": [1]}), -32602),
        (request_line(params={"name": "half", "arguments": 5}), -32602),
        (request_line(params={"name": "half", "arguments": True}), -32602),
    ],
)
def test_serve_tools_answers_a_malformed_request_and_goes_on(line, code):
    replies = io.StringIO()
    ping = json.dumps({"jsonrpc": "2.0", "id": 2, "method": "ping"})
    serve_tools(BOX, [line, "\n", ping], replies)
    first, second = map(json.loads, replies.getvalue().splitlines())
    assert first["error"]["code"] == code
    assert second == {"jsonrpc": "2.0", "id": 2, "result": {}}


def test_serve_tools_answers_bytes_that_are_no_text():
    requests = io.TextIOWrapper(io.BytesIO(b"\xff\xfe\n"), encoding="utf-8")
    replies = io.StringIO()
    serve_tools(BOX, requests, replies)
    assert json.loads(replies.getvalue())["error"]["code"] == -32700


def test_serve_tools_does_not_answer_notifications():
    replies = io.StringIO()
    line = json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"})
    serve_tools(BOX, [line, line.replace("}", ', "params": 7}')], replies)
    assert replies.getvalue() == ""


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


def server(on_call="", on_start="", tool=None):
    """Return the command of a server of one tool that answers as it is told."""
    tool = {"name": "echo", "annotations": {"readOnlyHint": True}} | (tool or {})
    return [
        sys.executable,
        "-c",
        f"""
import json, os, sys, time
def send(**message):
    print(json.dumps(message), flush=True)
def text(words):
    send(id=number, result={{"content": [{{"type": "text", "text": words}}]}})
for line in sys.stdin:
    message = json.loads(line)
    number, method = message.get("id"), message["method"]
    if method == "initialize":
        {on_start or "send(id=number, result={})"}
    elif method == "tools/list":
        send(id=number, result={{"tools": [json.loads({json.dumps(tool)!r})]}})
    elif method == "tools/call":
        {on_call or "text(json.dumps(message['params']['arguments']))"}
""",
    ]


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(mcp, "CALL_SECONDS", 0.5)
    monkeypatch.setattr(mcp, "END_SECONDS", 0.5)
    monkeypatch.setattr(mcp, "LONGEST_LINE", 100_000)


NO_ANSWER = "did not answer tools/call within 0.5 seconds"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("on_call", "message"),
    [
        ("pass", NO_ANSWER),
        ("while True: send(method='notifications/message')", NO_ANSWER),
        ("print('this is not JSON', flush=True)", NO_ANSWER),
        ("sys.stdout.buffer.write(b'\\xff\\n'); sys.stdout.flush()", NO_ANSWER),
        ("print('[' * 90_000, flush=True)", NO_ANSWER),
        ("print('[1]', flush=True)", NO_ANSWER),
        ("send(id=[], result={})", NO_ANSWER),
        ("send(id=True, result={})", NO_ANSWER),
        ("send(id=99, result={})", NO_ANSWER),
        ("while True: sys.stdout.write('x' * 9999)", "more than 100,000 bytes"),
        ("send(id=number)", "answered tools/call without a result"),
        ("send(id=number, result='x')", "answered tools/call without a result"),
        ("send(id=number, error='x')", "answered tools/call without a result"),
        ("send(id=number, error={'message': 'Not now.'})", "Not now."),
        ("send(id=number, error={})", "None"),
        ("sys.exit()", "has ended"),
    ],
)
def test_client_turns_what_a_server_does_wrong_into_an_error(
    impatient, on_call, message
):
    with MCPClient(server(on_call)) as client:
        result = client.tools()[0].call({})
    assert result.is_error
    assert message in result.text


@pytest.mark.slow
@pytest.mark.parametrize(
    "result", ["{}", "{'content': 7}", "{'content': [7, {}, {'type': 'image'}]}"]
)
def test_client_takes_an_answer_without_text_for_an_empty_one(impatient, result):
    with MCPClient(server(f"send(id=number, result={result})")) as client:
        assert client.tools()[0].call({}) == ToolResult("")


@pytest.mark.slow
def test_client_answers_a_ping_of_the_server(impatient):
    """Even one with the number of the request."""
    ping = "send(id=number, method='ping'); text(sys.stdin.readline())"
    with MCPClient(server(ping)) as client:
        pong = json.loads(client.tools()[0].call({}).text)
    assert pong == {"jsonrpc": "2.0", "id": 3, "result": {}}


@pytest.mark.slow
def test_client_does_not_wait_for_a_server_that_never_reads(impatient):
    with MCPClient(server("time.sleep(99)")) as client:
        (tool,) = client.tools()
        for words in ("", "x" * 1_000_000):  # more than a pipe holds
            assert NO_ANSWER in tool.call({"words": words}).text


@pytest.mark.slow
def test_client_does_not_wait_for_a_server_that_never_starts(monkeypatch):
    monkeypatch.setattr(mcp, "START_SECONDS", 0.5)
    with pytest.raises(MCPError, match="did not answer initialize within 0"):
        MCPClient(server(on_start="pass")).__enter__()
    with pytest.raises(MCPError, match="has ended"):
        MCPClient([sys.executable, "-c", "pass"]).__enter__()
    with pytest.raises(MCPError, match="cannot be started"):
        MCPClient(["no-such-program"]).__enter__()


INTEGER = {"type": "integer"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("schema", "arguments"),
    [
        ({"type": "object", "properties": {"name": {"type": "string"}}}, {"name": "A"}),
        ({"type": "object", "properties": {"self": INTEGER}}, {"self": 1}),
        ({"type": "object"}, {}),
        ({"type": "object", "additionalProperties": False}, {}),
        (None, {"n": 1}),
        ({"properties": {"n": {"anyOf": [INTEGER, {"type": "null"}]}}}, {"n": None}),
        ({"properties": {"n": {"type": ["integer", "null"]}}}, {"n": None}),
        ({"properties": {"n": {"$ref": "#/$defs/N"}}, "$defs": {"N": {}}}, {"n": [1]}),
    ],
)
def test_client_passes_arguments_on_whatever_their_schema(impatient, schema, arguments):
    with MCPClient(server(tool={"inputSchema": schema})) as client:
        assert json.loads(client.tools()[0].call(arguments).text) == arguments


@pytest.mark.slow
@pytest.mark.parametrize(
    ("annotations", "needs_consent"),
    [
        ({"readOnlyHint": True}, False),
        ({"readOnlyHint": "false"}, True),
        ({"readOnlyHint": 1}, True),
        ({}, True),
        (None, True),
    ],
)
def test_client_asks_unless_a_tool_is_read_only(annotations, needs_consent):
    with MCPClient(server(tool={"annotations": annotations})) as client:
        assert client.tools()[0].needs_consent == needs_consent


@pytest.mark.slow
def test_client_keeps_keys_from_the_server(monkeypatch):
    monkeypatch.setenv("API_KEY", "secret")
    with MCPClient(server("text(json.dumps(dict(os.environ)))")) as client:
        variables = json.loads(client.tools()[0].call({}).text)
    assert "API_KEY" not in variables
    assert variables["PATH"] == os.environ["PATH"]
