"""The command `agent`: a task for SmolLM2 with tools, or a folder for the code model to
repair, and the trace of what it did.
"""

import itertools
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import typer

from genai_tutorial.agents import (
    COULD_NOT,
    Agent,
    AgentStep,
    Budget,
    CallError,
    Conversation,
    Ending,
    FileJail,
    Policy,
    Reply,
    Toolbox,
    ToolCall,
    ToolError,
    editing_tools,
    parse_call,
    run_tests_tool,
    write_call,
)
from genai_tutorial.alignment import merge_lora
from genai_tutorial.recipes import SMOLLM2_TOOLS, load, load_recipe
from genai_tutorial.sandbox import ProgramRunner, SandboxError
from genai_tutorial.tasks.code import (
    CodeModel,
    RepairPolicy,
    draw_repositories,
    likeliest_first,
    reversed_mutations,
)
from genai_tutorial.tasks.tool_use import agent_mask, agent_toolbox, constrained

from .chat import CONTROL, note
from .user_errors import NOT_POSSIBLE, WRONG_USE, UserError, user_errors

_ADDS = re.compile(r"\b(?:add|append)\b", re.IGNORECASE)


def work_on(task: str, folder: Path, steps: int, is_repair: bool) -> None:
    """Let the agent work on a task: print each call with its result as it happens, and
    then the answer. Calls that change files are shown and asked about first.

    Args:
        is_repair: The code model works instead of SmolLM2. An empty folder gets a small
            repository with a planted fault first.

    Raises:
        Exit: If there is no answer.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder: make it first.", WRONG_USE)
    jail = FileJail(folder)
    try:
        if is_repair and not any(folder.iterdir()):
            plant(jail)
        with ProgramRunner() as runner:
            tools = agent_toolbox(folder, runner).tools
            toolbox = Toolbox(
                (*tools, *editing_tools(jail), run_tests_tool(jail, runner))
            )
            agent = Agent(
                load_repairer() if is_repair else Appending(load_policy(toolbox), jail),
                toolbox,
                Budget(steps=steps),
                partial(ask_on_terminal, jail),
                refuses_repeats=not is_repair,
                watch=partial(_show_step, itertools.count(1)),
            )
            run = agent.run(" ".join(task.split()))
    except SandboxError as error:
        raise UserError(str(error), NOT_POSSIBLE) from error
    print(_clean(run.answer))
    calls = len(run.calls)
    note(f"{calls} call{'s' * (calls != 1)}, {run.tokens} tokens, {run.ending}")
    if run.ending is not Ending.ANSWERED or run.answer == COULD_NOT:
        raise typer.Exit(NOT_POSSIBLE)


@dataclass(frozen=True)
class Appending:
    """A policy that adds to a file where a task says so: SmolLM2, which never chooses
    another tool than those of its traces, would replace the file.
    """

    policy: Policy
    jail: FileJail

    def replies(self, conversations: Sequence[Conversation]) -> list[Reply]:
        """Return the next message of each conversation."""
        pairs = zip(self.policy.replies(conversations), conversations, strict=True)
        return [
            replace(reply, text=self._appending(reply.text))
            if _ADDS.search(conversation[0].content)
            else reply
            for reply, conversation in pairs
        ]

    def _appending(self, text: str) -> str:
        try:
            call = parse_call(text)
            path = call.arguments["path"] if call and call.name == "write_file" else ""
            if not path or not self.jail.resolve(path).exists():
                return text
        except (CallError, KeyError, TypeError, ToolError):
            return text  # the agent reports what is wrong
        return write_call(replace(call, name="append_file"))


def plant(jail: FileJail) -> None:
    """Write a small repository with a fault into a folder."""
    (repository,) = draw_repositories(1, seed=0, has_docstrings=False)
    for path, text in repository.files.items():
        jail.write(path, text)
    note(f"{jail.root} was empty and has a small repository with a planted fault now.")


def load_repairer() -> Policy:
    """Return the policy that tries each mutation backwards, as the code model likes."""
    model = CodeModel(*load("python-exercises"))
    return RepairPolicy(likeliest_first(model, reversed_mutations))


def load_policy(toolbox: Toolbox) -> Policy:
    """Return the fine-tuned model, which writes valid calls of these tools only."""
    with user_errors(ValueError, exit_code=NOT_POSSIBLE):
        loaded = load_recipe(SMOLLM2_TOOLS)
    merge_lora(loaded.decoder)
    return constrained(loaded.policy(), toolbox, agent_mask(loaded.tokenizer))


def ask_on_terminal(jail: FileJail, call: ToolCall) -> bool:
    """Show a call on standard error, and the file that it would replace, and ask;
    anything but yes is no.
    """
    print(
        _clean(f"The agent wants to call {call}.{_replaced(jail, call)}"),
        "Allow it? [y/N] ",
        end="",
        file=sys.stderr,
        flush=True,
    )
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _replaced(jail: FileJail, call: ToolCall) -> str:
    """Return a sentence about the file that a call replaces; empty if there is none."""
    size, path = "", call.arguments.get("path", "")
    try:
        if call.name != "write_file" or not jail.resolve(path).exists():
            return ""
        lines = len(jail.read(path).splitlines())
        size = f" ({lines} line{'s' * (lines != 1)})"
    except ToolError:  # too long, or no text; a path that leads out is refused later
        pass
    return f" {path!r} exists{size} and would be replaced."


def _show_step(numbers: Iterator[int], step: AgentStep) -> None:
    if step.result is not None:
        called = f"{next(numbers)}. {step.call or step.reply}"
        note(_clean(f"{called}  →  {step.result.text}"))


def _clean(text: str) -> str:
    """Return a text that can neither control the terminal nor reverse its direction."""
    return "".join(
        character
        for character in CONTROL.sub("", text)
        if character.isprintable() or character.isspace()
    )
