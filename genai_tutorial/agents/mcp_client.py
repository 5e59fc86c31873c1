"""The Model Context Protocol by hand, the client's side: start a server, ask for its
tools, and call them.
"""

import json
import subprocess
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from genai_tutorial.agents.mcp_server import PROTOCOL
from genai_tutorial.agents.tools import Tool, ToolError


class MCPError(Exception):
    """Raised if a server refuses a request or has ended; the message is the
    server's.
    """


class MCPClient:
    """A client that starts its server as a process: use it in a `with` block.

    Args:
        command: The command that starts the server, with its arguments.
        environment: The environment of the server; None for that of this process.

    Source: Model Context Protocol, revision 2025-06-18, lifecycle and tools,
        https://modelcontextprotocol.io/specification/2025-06-18
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> None:
        self.command, self.environment = list(command), environment
        self.server: dict[str, Any] = {}
        self._process: subprocess.Popen | None = None
        self._requests = 0

    def __enter__(self) -> "MCPClient":
        """Start the server, and agree on a revision of the protocol."""
        self._process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            env=None if self.environment is None else dict(self.environment),
        )
        try:
            self.server = self.request(
                "initialize",
                {
                    "protocolVersion": PROTOCOL,
                    "capabilities": {},
                    "clientInfo": {"name": "genai_tutorial", "version": "1"},
                },
            )
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
        process.stdin.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()

    def request(self, method: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request and wait for its result.

        Raises:
            MCPError: If the server refuses it or has ended.
            ValueError: If the client is not open.
        """
        if self._process is None:
            raise ValueError(
                "Open the client first: with MCPClient(...) as client: ..."
            )
        self._requests += 1
        self._send({"id": self._requests, "method": method, "params": dict(parameters)})
        for line in self._process.stdout:
            reply = json.loads(line)
            if reply.get("id") != self._requests:
                continue  # a notification, such as a line of the server's log
            if "error" in reply:
                raise MCPError(reply["error"]["message"])
            return reply["result"]
        raise MCPError(f"The server {self.command[0]} has ended.")

    def tools(self) -> tuple[Tool, ...]:
        """Return the server's tools, ready for a toolbox.

        A tool that the server does not call read-only needs consent. A server's
        description of itself is a hint, not a protection.
        """
        return tuple(
            Tool(
                described["name"],
                described.get("description", ""),
                described["inputSchema"],
                partial(self._call, described["name"]),
                not described.get("annotations", {}).get("readOnlyHint", False),
            )
            for described in self.request("tools/list", {})["tools"]
        )

    def _call(self, name: str, **arguments: object) -> str:
        result = self.request("tools/call", {"name": name, "arguments": arguments})
        texts = [part["text"] for part in result["content"] if part["type"] == "text"]
        if result.get("isError"):
            raise ToolError("\n".join(texts).removeprefix("Error: "))
        return "\n".join(texts)

    def _send(self, message: Mapping[str, Any]) -> None:
        line = json.dumps({"jsonrpc": "2.0", **message}) + "\n"
        try:
            self._process.stdin.write(line)
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise MCPError(f"The server {self.command[0]} has ended.") from error
