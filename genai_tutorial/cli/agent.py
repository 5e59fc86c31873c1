"""The command `agent`: a task for SmolLM2 with tools, and the trace of what it did."""

import sys
from pathlib import Path

from genai_tutorial.agents import (
    Agent,
    AgentStep,
    Budget,
    Policy,
    Run,
    Toolbox,
    ToolCall,
)
from genai_tutorial.alignment import merge_lora
from genai_tutorial.cli.chat import CONTROL, note
from genai_tutorial.cli.user_errors import (
    NOT_POSSIBLE,
    WRONG_USE,
    UserError,
    user_errors,
)
from genai_tutorial.recipes import SMOLLM2_TOOLS, load_recipe
from genai_tutorial.sandbox import ProgramRunner, SandboxError
from genai_tutorial.tasks.agent import agent_mask, agent_toolbox, constrained

LONGEST_TASK = 300
"""The largest number of characters in a task."""


def work_on(task: str, folder: Path, steps: int) -> None:
    """Let the agent work on a task, print its calls with their results, and then the
    answer.

    Calls that change files are shown and asked about first.
    """
    if not task.strip() or len(task) > LONGEST_TASK:
        raise UserError(
            f"A task has from 1 to {LONGEST_TASK} characters, got {len(task)}.",
            WRONG_USE,
        )
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder: make it first.", WRONG_USE)
    try:
        with ProgramRunner() as runner:
            toolbox = agent_toolbox(folder, runner)
            agent = Agent(
                load_policy(toolbox), toolbox, Budget(steps=steps), ask_on_terminal
            )
            run = agent.run(" ".join(task.split()))
    except SandboxError as error:
        raise UserError(str(error), NOT_POSSIBLE) from error
    show(run)


def load_policy(toolbox: Toolbox) -> Policy:
    """Return the fine-tuned model, which writes valid calls of these tools only."""
    with user_errors(ValueError, exit_code=NOT_POSSIBLE):
        loaded = load_recipe(SMOLLM2_TOOLS)
    merge_lora(loaded.decoder)
    return constrained(loaded.policy(), toolbox, agent_mask(loaded.tokenizer))


def ask_on_terminal(call: ToolCall) -> bool:
    """Show a call on standard error and ask; anything but yes is no."""
    print(
        f"The agent wants to call {_clean(str(call))}. Allow it? [y/N] ",
        end="",
        file=sys.stderr,
        flush=True,
    )
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def show(run: Run) -> None:
    """Print the calls with their results on standard error, and the answer on standard
    output.
    """
    for number, step in enumerate(run.steps, start=1):
        if step.result is not None:
            note(_line(number, step))
    print(_clean(run.answer))
    note(f"{len(run.calls)} calls, {run.tokens} tokens, {run.ending}")


def _line(number: int, step: AgentStep) -> str:
    return _clean(f"{number}. {step.call or step.reply}  →  {step.result.text}")


def _clean(text: str) -> str:
    """Return a text that cannot control the terminal."""
    return CONTROL.sub("", text)
