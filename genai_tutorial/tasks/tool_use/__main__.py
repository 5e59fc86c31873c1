"""The tools of the tasks as a server of the Model Context Protocol, on standard input:
`python -m genai_tutorial.tasks.tool_use FOLDER [hand|sdk]`.
"""

import sys
from pathlib import Path

from genai_tutorial.agents import sdk_server, serve_tools
from genai_tutorial.sandbox import ProgramRunner

from .world import agent_toolbox

if __name__ == "__main__":
    folder, kind = Path(sys.argv[1]), [*sys.argv, "hand"][2]
    with ProgramRunner() as runner:
        toolbox = agent_toolbox(folder, runner)
        if kind == "sdk":
            sdk_server(toolbox).run()
        else:
            serve_tools(toolbox, sys.stdin, sys.stdout)
