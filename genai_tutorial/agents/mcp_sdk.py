"""The same tools with the official SDK of the Model Context Protocol, as its server and
by its client.
"""

import functools
import os
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from genai_tutorial.agents.calls import ToolCall
from genai_tutorial.agents.tools import Tool, Toolbox, ToolError, ToolResult
from genai_tutorial.runtime import require


def sdk_server(toolbox: Toolbox, name: str = "tools") -> Any:
    """Return the SDK's server of some tools; `run()` serves standard input.

    The SDK makes the schemas itself, from the same signatures. It hides the message of
    an ordinary exception from the model, so ours are raised again as its `ToolError`.

    Args:
        toolbox: The tools.
        name: The name of the server.

    Raises:
        ImportError: If the SDK is not installed.
    """
    require("mcp", "agents")
    from mcp.server import MCPServer
    from mcp.types import ToolAnnotations

    server = MCPServer(name, log_level="ERROR")
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

    The session is opened and closed in one task, and the server's messages on standard
    error are dropped: in a notebook that stream is no file.

    Args:
        command: The command that starts the server, with its arguments.
        calls: The calls.

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
