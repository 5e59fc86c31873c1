"""The world of the agent's tasks: files, words, countries and short programs, one part
for the tests and another for the traces; and the tools for it.
"""

import random
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from genai_tutorial.agents import (
    FileJail,
    Tool,
    Toolbox,
    calculator,
    count_letters,
    file_tools,
    lookup_tool,
    python_tool,
    search_tool,
)
from genai_tutorial.data import Fact, load_facts, with_article
from genai_tutorial.runtime import write_atomically
from genai_tutorial.sandbox import ProgramRunner
from genai_tutorial.tasks import read_words
from genai_tutorial.tasks.search_questions import fact_library

TASK_TOOLS = (
    "calculator", "factbook_lookup", "count_lines", "read_file", "count_letters",
    "run_python",
)  # fmt: skip
"""The tools that the 60 tasks need."""


_TAUGHT_WORDS, _TESTED_WORDS, _SENTENCES, _STEMS = (
    read_words("tool_use", name)[0]
    for name in ("taught", "tested", "sentences", "file_names")
)
_ENDINGS = ("txt", "md", "log", "csv")


@dataclass(frozen=True)
class TaskWorld:
    """What tasks are about: capitals, currencies and internet domains of countries,
    files by name, and words to count the letters of.
    """

    facts: tuple[Fact, ...]
    files: dict[str, str]
    words: tuple[str, ...]

    def fact(self, country: str, field: str) -> str:
        """Return a fact about a country."""
        return next(
            fact.answer
            for fact in self.facts
            if (fact.country, fact.relation) == (country, field)
        )

    def countries(self, field: str) -> list[str]:
        """Return the countries of which a fact is known, in alphabetical order."""
        return sorted(fact.country for fact in self.facts if fact.relation == field)


def world_of_tasks() -> TaskWorld:
    """Return the world of the 60 tasks: 40 countries, 12 files, 20 words."""
    facts, _ = _split_facts()
    return TaskWorld(facts, _files(0, 12), tuple(_TESTED_WORDS))


def taught_world(seed: int = 0) -> TaskWorld:
    """Return a world for traces, which shares no country, file or word with the tests;
    the seed decides which files there are.
    """
    _, facts = _split_facts()
    return TaskWorld(facts, _files(1 + seed, 60), tuple(_TAUGHT_WORDS))


def write_files(folder: Path, files: dict[str, str]) -> None:
    """Write the files of a world into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        with write_atomically(folder / name, "w") as file:
            file.write(text)


def agent_toolbox(folder: Path, runner: ProgramRunner) -> Toolbox:
    """Return all tools of the chapter, for the files of a folder and an open sandbox:
    the tools of `TASK_TOOLS`, and tools to change files and to search the Factbook.

    Raises:
        ValueError: If there is no such folder.
    """
    facts = load_facts()
    tools = (
        Tool.from_function(calculator),
        lookup_tool(facts),
        *file_tools(FileJail(folder)),
        Tool.from_function(count_letters),
        python_tool(runner),
        search_tool(fact_library(facts)),
    )
    return Toolbox(tools)


@cache
def _split_facts() -> tuple[tuple[Fact, ...], tuple[Fact, ...]]:
    """Return the facts about 40 countries for the tests, and about all others."""
    facts = [
        fact
        for fact in load_facts()
        if fact.relation in ("capital", "currency", "domain")
        and with_article(fact.country) == fact.country
        and len(fact.country.split()) <= 2
        and len(fact.answer.split()) <= 3
    ]
    countries = sorted({fact.country for fact in facts})
    tested = set(random.Random(26).sample(countries, 40))
    return (
        tuple(fact for fact in facts if fact.country in tested),
        tuple(fact for fact in facts if fact.country not in tested),
    )


def _files(seed: int, count: int) -> dict[str, str]:
    """Return files with different names: of one sentence, or of a few lines."""
    generator = random.Random(f"files {seed}")
    # the files of the tests end in .txt or .md, and their names have no number
    if seed == 0:
        names = [f"{stem}.{_ENDINGS[k % 2]}" for k, stem in enumerate(_STEMS[:count])]
    else:
        names = [
            f"{stem}{number}.{ending}"
            for stem in _STEMS
            for number in range(1, 10)
            for ending in _ENDINGS
        ]
        names = generator.sample(names, count)
    files = {}
    for place, name in enumerate(names):
        if place % 3 == 0:
            files[name] = generator.choice(_SENTENCES) + "\n"
        else:
            lines = generator.sample(_TAUGHT_WORDS, generator.randint(3, 30))
            files[name] = "\n".join(lines) + "\n"
    return files


def server_command(folder: Path, kind: str = "hand") -> list[str]:
    """Return the command that starts a server of all tools, by hand ("hand") or with
    the official SDK ("sdk").

    Raises:
        ValueError: If there is no such kind.
    """
    if kind not in ("hand", "sdk"):
        raise ValueError(f"kind must be 'hand' or 'sdk', got {kind!r}.")
    return [sys.executable, "-m", __package__, str(folder), kind]
