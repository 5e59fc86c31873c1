"""The Model Context Protocol by hand: a server that offers tools, and a client that
starts a server and calls its tools. Messages of JSON-RPC, one per line.
"""

import io
import itertools
import json
import os
import subprocess
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import Any, BinaryIO

from .calls import ToolCall
from .tools import Tool, Toolbox, ToolError

PROTOCOL = "2025-06-18"
"""The revision that the client agrees on with a server, in a handshake."""

STATELESS = "2026-07-28"
"""The revision without a handshake, which the server speaks as well: each request names
it under `_meta`.
"""

START_SECONDS, CALL_SECONDS, END_SECONDS = 120, 60, 5
"""The time for a server to start, for the answer to any later request, and to end."""

LONGEST_LINE = 10_000_000
"""The largest number of bytes in a message from a server."""

_NO_JSON, _NO_REQUEST, _NO_METHOD, _WRONG_PARAMS = -32700, -32600, -32601, -32602
_NO_REVISION = -32022

_UNCACHED = {"ttlMs": 0, "cacheScope": "private"}

_REVISION = "io.modelcontextprotocol/protocolVersion"

# what the official SDK hands on, too: an environment holds keys and passwords
_HANDED_ON = (
    "APPDATA HOMEDRIVE HOMEPATH LOCALAPPDATA PATH PATHEXT PROCESSOR_ARCHITECTURE "
    "SYSTEMDRIVE SYSTEMROOT TEMP USERNAME USERPROFILE"
    if os.name == "nt"
    else "HOME LOGNAME PATH SHELL TERM USER"
).split()


def serve_tools(
    toolbox: Toolbox, requests: Iterable[str], replies: io.TextIOBase
) -> None:
    """Answer requests, one per line, until they end.

    Source: Model Context Protocol, revisions 2025-06-18 and 2026-07-28, transport
        stdio, https://modelcontextprotocol.io/specification/2026-07-28
    """
    if isinstance(requests, io.TextIOWrapper):  # bytes that are no text get an answer
        requests.reconfigure(encoding="utf-8", errors="replace")
    for line in requests:
        if not line.strip():
            continue
        try:
            request = json.loads(line)
        except (ValueError, RecursionError):
            reply = _error(None, _NO_JSON, "This is not JSON.")
        else:
            reply = answer(toolbox, request)
        if reply is not None:
            replies.write(json.dumps(reply) + "\n")
            replies.flush()


def answer(toolbox: Toolbox, request: Any) -> dict | None:
    """Return the answer to any request; None for a notification."""
    if not isinstance(request, dict):
        return _error(None, _NO_REQUEST, "A request must be an object.")
    number, method = request.get("id"), request.get("method")
    if "id" in request and type(number) not in (int, str):
        return _error(None, _NO_REQUEST, "The id must be a number or a text.")
    if request.get("jsonrpc") != "2.0" or not isinstance(method, str):
        message = 'A request needs "jsonrpc": "2.0" and a method.'
        return _error(number, _NO_REQUEST, message)
    if "id" not in request:
        return None
    parameters = request.get("params", {})
    if not isinstance(parameters, dict):
        return _error(number, _WRONG_PARAMS, "params must be an object.")
    meta = parameters.get("_meta")
    revision = meta.get(_REVISION) if isinstance(meta, dict) else None
    if revision not in (None, STATELESS):
        data = {"supported": [STATELESS], "requested": revision}
        message = f"The revision {revision!r} is not spoken here."
        return _error(number, _NO_REVISION, message, data=data)
    complete = {"resultType": "complete"} if revision else {}
    if method == "initialize" and not revision:
        result = {
            "protocolVersion": PROTOCOL,
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "tools", "version": "1"},
        }
    elif method == "ping" and not revision:
        result = {}
    elif method == "server/discover" and revision:
        capabilities = {"supportedVersions": [STATELESS], "capabilities": {"tools": {}}}
        result = capabilities | _UNCACHED
    elif method == "tools/list":
        result = {"tools": [_described(tool) for tool in toolbox.tools]}
        result |= _UNCACHED if revision else {}
    elif method == "tools/call":
        name, arguments = parameters.get("name"), parameters.get("arguments", {})
        if not isinstance(name, str) or not isinstance(arguments, dict):
            message = "A call needs the name of a tool, and arguments in an object."
            return _error(number, _WRONG_PARAMS, message)
        came = toolbox.call(ToolCall(name, arguments))
        content = [{"type": "text", "text": came.text}]
        result = {"content": content, "isError": came.is_error}
    else:
        return _error(number, _NO_METHOD, f"There is no method {method!r}.")
    return {"jsonrpc": "2.0", "id": number, "result": complete | result}


def _described(tool: Tool) -> dict[str, Any]:
    return {
        "name": tool.name,
        "description": tool.description,
        "inputSchema": dict(tool.parameters),
        "annotations": {"readOnlyHint": not tool.needs_consent},
    }


def _error(number: object, code: int, message: str, **more: object) -> dict[str, Any]:
    error = {"code": code, "message": message, **more}
    return {"jsonrpc": "2.0", "id": number, "error": error}


class MCPError(ToolError):
    """Raised if a server refuses a request, does not answer or has ended."""


class MCPClient:
    """A client that starts its server as a process, with a few harmless variables of
    the environment: use it in a `with` block.

    Source: Model Context Protocol, revision 2025-06-18, lifecycle and tools,
        https://modelcontextprotocol.io/specification/2025-06-18
    """

    def __init__(self, command: Sequence[str]) -> None:
        self.command = list(command)
        self.environment = {k: os.environ[k] for k in _HANDED_ON if k in os.environ}
        self._process: subprocess.Popen | None = None
        self._numbers = itertools.count(1)
        self._waiting: dict[int, Future] = {}

    def __enter__(self) -> "MCPClient":
        """Start the server, and agree on a revision of the protocol."""
        try:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=self.environment,
            )
        except OSError as error:
            raise MCPError(f"{self._name} cannot be started: {error}.") from error
        self._ended, self._outbox = "", SimpleQueue()
        pipes = {self._write: self._process.stdin, self._read: self._process.stdout}
        self._threads = [
            threading.Thread(target=work, args=(pipe,), daemon=True)
            for work, pipe in pipes.items()
        ]
        for thread in self._threads:
            thread.start()
        about = {"name": "genai_tutorial", "version": "1"}
        about = {"clientInfo": about, "capabilities": {}, "protocolVersion": PROTOCOL}
        try:
            self.request("initialize", about)
        except BaseException:
            self.__exit__()
            raise
        self._send({"method": "notifications/initialized"})
        return self

    def __exit__(self, *_: object) -> None:
        """Close the server's input, which ends it, or kill it."""
        process, self._process = self._process, None
        if process is None:
            return
        self._outbox.put(None)
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for thread in self._threads:
            thread.join(1)  # not for ever: the server's own children may hold a pipe

    def request(self, method: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request and wait for its result, at most `CALL_SECONDS`."""
        if self._process is None:
            raise ValueError("Open the client first: with MCPClient(...) as client:")
        number = next(self._numbers)
        seconds = START_SECONDS if method == "initialize" else CALL_SECONDS
        reply = self._waiting[number] = Future()
        self._send({"id": number, "method": method, "params": dict(parameters)})
        if self._ended:
            self._refuse_waiting()
        try:
            message = reply.result(seconds)
        except TimeoutError:
            raise MCPError(
                f"{self._name} did not answer {method} within {seconds:g} seconds."
            ) from None
        finally:
            self._waiting.pop(number, None)
        if isinstance(message.get("error"), dict):
            raise MCPError(str(message["error"].get("message")))
        if not isinstance(message.get("result"), dict):
            raise MCPError(f"{self._name} answered {method} without a result.")
        return message["result"]

    def tools(self) -> tuple[Tool, ...]:
        """Return the server's tools."""
        listed = self.request("tools/list", {}).get("tools")
        return tuple(
            self._tool(described)
            for described in (listed if isinstance(listed, list) else ())
            if isinstance(described, dict) and isinstance(described.get("name"), str)
        )

    def _tool(self, described: Mapping[str, Any]) -> Tool:
        name, description, schema, hints = (
            described.get(key)
            for key in ("name", "description", "inputSchema", "annotations")
        )
        return Tool(
            name,
            description if isinstance(description, str) else "",
            schema if isinstance(schema, dict) else {"type": "object"},
            partial(self._call, name),
            not isinstance(hints, dict) or hints.get("readOnlyHint") is not True,
        )

    def _call(self, name: str, /, **arguments: object) -> str:
        result = self.request("tools/call", {"name": name, "arguments": arguments})
        content = result.get("content")
        texts = [
            str(part.get("text", ""))
            for part in (content if isinstance(content, list) else ())
            if isinstance(part, dict) and part.get("type") == "text"
        ]
        if result.get("isError"):
            raise ToolError("\n".join(texts).removeprefix("Error: "))
        return "\n".join(texts)

    @property
    def _name(self) -> str:
        return f"The server {self.command[0]}"

    def _send(self, message: Mapping[str, Any]) -> None:
        line = json.dumps({"jsonrpc": "2.0", **message}) + "\n"
        self._outbox.put(line.encode())

    def _write(self, pipe: BinaryIO) -> None:
        """Write the messages, in a thread, because a server may not read them."""
        with suppress(OSError), pipe:
            while (line := self._outbox.get()) is not None:
                pipe.write(line)
                pipe.flush()

    def _read(self, pipe: BinaryIO) -> None:
        """Read the server's messages, in a thread, until it ends or one is too long."""
        ended = "has ended"
        with pipe:
            while line := pipe.readline(LONGEST_LINE + 1):
                if len(line) > LONGEST_LINE:
                    ended = f"sent a message of more than {LONGEST_LINE:,} bytes"
                    break
                self._receive(line)
        self._ended = f"{self._name} {ended}."
        self._refuse_waiting()

    def _receive(self, line: bytes) -> None:
        """Pass a reply to its waiting caller, answer a ping, and ignore all else."""
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            return
        if not isinstance(message, dict):
            return
        number = message.get("id")
        if message.get("method") == "ping":
            if self._outbox.qsize() < 100:
                self._send({"id": number, "result": {}})
        elif "method" not in message and type(number) is int:
            self._waiting.pop(number, Future()).set_result(message)

    def _refuse_waiting(self) -> None:
        for number in list(self._waiting):
            if waiting := self._waiting.pop(number, None):
                waiting.set_exception(MCPError(self._ended))
