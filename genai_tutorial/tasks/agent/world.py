"""The world of the agent's tasks: files, words, countries and short programs, one part
for the tests and another for the traces; and the tools for it.
"""

import random
from collections.abc import Iterable
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
from genai_tutorial.tasks.prompting import split_words
from genai_tutorial.tasks.search_questions import fact_library

TASK_TOOLS = (
    "calculator",
    "factbook_lookup",
    "count_lines",
    "read_file",
    "count_letters",
    "run_python",
)
"""The tools that the 60 tasks need."""

_TEST_WORDS = split_words(
    "onomatopoeia lighthouse marmalade chrysanthemum umbrella saxophone"
    " thunderstorm peppermint hippopotamus bookkeeper watermelon kaleidoscope"
    " xylophone strawberry mosquito pineapple rhinoceros archipelago labyrinth"
    " dandelion"
)
_TAUGHT_WORDS = split_words(
    "apple window teacher mountain bicycle garden pencil elephant kitchen orange"
    " library candle dolphin village engine butterfly carpet diamond evening forest"
    " guitar hammer island jacket kangaroo ladder mirror notebook ocean painter"
    " quarter rainbow silver tomato uniform violin whisper yellow zebra anchor blanket"
    " chimney dragon eagle feather giraffe harvest insect jungle kettle lemon meadow"
    " needle octopus parrot rocket sandwich tunnel volcano wallet"
)
_SENTENCES = (
    "The key is under the third stone.",
    "Water the plants on Friday.",
    "Anna has the tickets.",
    "The meeting is in room seven.",
    "Buy bread and two lemons.",
    "The train leaves from platform nine.",
    "Call the dentist tomorrow.",
    "The code of the door is 4821.",
)
_STEMS = split_words(
    "notes todo diary report recipe letter songs plan books trip guests prices"
    " ideas list speech poem minutes budget names dates"
)
_ENDINGS = ("txt", "md", "log", "csv")


@dataclass(frozen=True)
class World:
    """The facts, files and words that tasks are about.

    Attributes:
        facts: Capitals, currencies and internet domains of countries.
        files: The texts of files, by name.
        words: Words to count the letters of.
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


def world_of_tasks() -> World:
    """Return the world of the 60 tasks: 40 countries, 12 files, 20 words."""
    facts, _ = _split_facts()
    return World(facts, _files(0, 12), tuple(_TEST_WORDS))


def taught_world(seed: int = 0) -> World:
    """Return a world for traces, which shares no country, file or word with the tests.

    Args:
        seed: Decides which files there are.
    """
    _, facts = _split_facts()
    return World(facts, _files(1 + seed, 60), tuple(_TAUGHT_WORDS))


def write_files(folder: Path, files: dict[str, str]) -> None:
    """Write the files of a world into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        with write_atomically(folder / name, "w") as file:
            file.write(text)


def agent_toolbox(
    folder: Path, runner: ProgramRunner, facts: Iterable[Fact] | None = None
) -> Toolbox:
    """Return all tools of the chapter: those that the tasks need, and tools to list,
    write and delete files and to search the Factbook.

    Args:
        folder: The folder of the file tools.
        runner: The sandbox, open.
        facts: The facts to look up and search; None for all of the Factbook.

    Raises:
        ValueError: If there is no such folder.
    """
    known = tuple(load_facts() if facts is None else facts)
    tools = (
        Tool.from_function(calculator),
        lookup_tool(known),
        *file_tools(FileJail(folder)),
        Tool.from_function(count_letters),
        python_tool(runner),
        search_tool(fact_library(known)),
    )
    return Toolbox(tools)


@cache
def _split_facts() -> tuple[tuple[Fact, ...], tuple[Fact, ...]]:
    """Return the facts about 40 countries for the tests, and about all others.

    Names that take an article, or have more than two words, are left out.
    """
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
