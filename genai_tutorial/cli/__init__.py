"""The command `genai-tutorial`: train and sample the book's models, and execute, assign
and grade its chapters.

`app` and `model_commands` define the commands and check what was typed; the work is
done by the modules they import when a command runs: `models`, `chat`, `documents`,
`agent`, `book`, `doctor` and `server`.
"""

from .app import main
