"""The tools of the tasks as a server of the Model Context Protocol, on standard input:
`python -m genai_tutorial.tasks.agent.server FOLDER [hand|sdk]`.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from genai_tutorial.agents import sdk_server, serve
from genai_tutorial.sandbox import ProgramRunner
from genai_tutorial.tasks.agent.world import agent_toolbox


def server_command(folder: Path, kind: str = "hand") -> list[str]:
    """Return the command that starts the server.

    Args:
        folder: The folder of the file tools.
        kind: "hand" for our own server, "sdk" for that of the official SDK.

    Raises:
        ValueError: If there is no such kind.
    """
    if kind not in ("hand", "sdk"):
        raise ValueError(f"kind must be 'hand' or 'sdk', got {kind!r}.")
    return [
        sys.executable,
        "-m",
        "genai_tutorial.tasks.agent.server",
        str(folder),
        kind,
    ]


def main(arguments: Sequence[str]) -> None:
    """Serve until the input ends."""
    folder, kind = Path(arguments[0]), [*arguments, "hand"][1]
    with ProgramRunner() as runner:
        toolbox = agent_toolbox(folder, runner)
        if kind == "sdk":
            sdk_server(toolbox).run()
        else:
            serve(toolbox, sys.stdin, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
