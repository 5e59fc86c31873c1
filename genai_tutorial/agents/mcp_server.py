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
    for line in requests:
        try:
            request = json.loads(line)
        except ValueError:
            reply = _error(None, _PARSE_ERROR, "This is not JSON.")
        else:
            reply = answer(toolbox, request, name)
        if reply is not None:
            replies.write(json.dumps(reply) + "\n")
            replies.flush()


def answer(toolbox: Toolbox, request: Any, name: str = "tools") -> dict | None:
    """Return the answer to a request; None for a notification, which gets none.

    Args:
        toolbox: The tools.
        request: The message, as read from JSON.
        name: The name of the server.

    >>> answer(Toolbox(()), {"jsonrpc": "2.0", "id": 1, "method": "ping"})
    {'jsonrpc': '2.0', 'id': 1, 'result': {}}
    """
    if not isinstance(request, dict) or not isinstance(request.get("method"), str):
        return _error(None, _INVALID_REQUEST, "A request needs a method.")
    if "id" not in request:
        return None
    number, method = request["id"], request["method"]
    parameters = request.get("params") or {}
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
        call = ToolCall(parameters["name"], parameters.get("arguments") or {})
        came = toolbox.call(call)
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
