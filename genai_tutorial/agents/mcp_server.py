"""The Model Context Protocol by hand, the server's side: tools as messages of JSON-RPC,
one per line.
"""

import io
import json
from collections.abc import Iterable
from typing import Any

from genai_tutorial.agents.calls import ToolCall
from genai_tutorial.agents.tools import Tool, Toolbox

PROTOCOL = "2025-06-18"
"""The revision of the protocol that is spoken here."""

_PARSE_ERROR, _INVALID_REQUEST, _NO_METHOD, _INVALID_PARAMS = (
    -32700,
    -32600,
    -32601,
    -32602,
)


def serve(
    toolbox: Toolbox,
    requests: Iterable[str],
    replies: io.TextIOBase,
    name: str = "tools",
) -> None:
    """Answer requests, one per line, until they end.

    Args:
        toolbox: The tools.
        requests: The lines to read, such as standard input.
        replies: The stream for the answers.
        name: The name of the server.

    Source: Model Context Protocol, revision 2025-06-18, transport stdio,
        https://modelcontextprotocol.io/specification/2025-06-18
    """
    if isinstance(requests, io.TextIOWrapper):  # bytes that are no text get an answer
        requests.reconfigure(encoding="utf-8", errors="replace")
    for line in requests:
        if not line.strip():
            continue
        try:
            request = json.loads(line)
        except (ValueError, RecursionError):
            reply = _error(None, _PARSE_ERROR, "This is not JSON.")
        else:
            reply = answer(toolbox, request, name)
        if reply is not None:
            replies.write(json.dumps(reply) + "\n")
            replies.flush()


def answer(toolbox: Toolbox, request: Any, name: str = "tools") -> dict | None:
    """Return the answer to a request, whatever it is; None for a notification, which
    gets none.

    Args:
        toolbox: The tools.
        request: The message, as read from JSON.
        name: The name of the server.

    >>> answer(Toolbox(()), {"jsonrpc": "2.0", "id": 1, "method": "ping"})
    {'jsonrpc': '2.0', 'id': 1, 'result': {}}
    """
    if not isinstance(request, dict):
        return _error(None, _INVALID_REQUEST, "A request must be an object.")
    number, method = request.get("id"), request.get("method")
    if "id" in request and type(number) not in (int, str):
        return _error(None, _INVALID_REQUEST, "The id must be a number or a text.")
    if request.get("jsonrpc") != "2.0" or not isinstance(method, str):
        message = 'A request needs "jsonrpc": "2.0" and a method.'
        return _error(number, _INVALID_REQUEST, message)
    if "id" not in request:
        return None
    parameters = request.get("params", {})
    if not isinstance(parameters, dict):
        return _error(number, _INVALID_PARAMS, "params must be an object.")
    if method == "initialize":
        result = {
            "protocolVersion": PROTOCOL,
            "capabilities": {"tools": {}},
            "serverInfo": {"name": name, "version": "1"},
        }
    elif method == "ping":
        result = {}
    elif method == "tools/list":
        result = {"tools": [_described(tool) for tool in toolbox.tools]}
    elif method == "tools/call":
        if not isinstance(parameters.get("name"), str):
            return _error(number, _INVALID_PARAMS, "A call needs the name of a tool.")
        arguments = parameters.get("arguments", {})
        if not isinstance(arguments, dict):
            return _error(number, _INVALID_PARAMS, "arguments must be an object.")
        came = toolbox.call(ToolCall(parameters["name"], arguments))
        result = {
            "content": [{"type": "text", "text": came.text}],
            "isError": came.is_error,
        }
    else:
        return _error(number, _NO_METHOD, f"There is no method {method!r}.")
    return {"jsonrpc": "2.0", "id": number, "result": result}


def _described(tool: Tool) -> dict[str, Any]:
    return {
        "name": tool.name,
        "description": tool.description,
        "inputSchema": dict(tool.parameters),
        "annotations": {"readOnlyHint": not tool.needs_consent},
    }


def _error(number: object, code: int, message: str) -> dict[str, Any]:
    error = {"code": code, "message": message}
    return {"jsonrpc": "2.0", "id": number, "error": error}
