"""Rules for the exercises of a chapter, so that it can be assigned unchanged."""

import re

from tests.notebooks.chapter_file import ChapterFile, text_of
from tests.notebooks.output_rules import twice

HEADING = re.compile(
    r"^Exercise (\d+)\.(\d+) · (.+) \((\d+) minutes?, (\d+) points?\)$"
)
ANSWER = re.compile(
    r"<details><summary>Show a possible answer</summary>\n\n(.*\S)\n\n</details>",
    re.DOTALL,
)
SOLUTION = re.compile(r"### BEGIN SOLUTION\n.*\S.*\n\s*### END SOLUTION", re.DOTALL)
TESTS = re.compile(
    r"(.*?)(### BEGIN HIDDEN TESTS\n\s*\S.*### END HIDDEN TESTS|$)", re.DOTALL
)
FOLDED = {
    "code_prompt_show": "Show the solution",
    "code_prompt_hide": "Hide the solution",
}
Cells = list[tuple[dict, dict]]
"""Cells with their nbgrader metadata."""


def exercises_are_complete(chapter: ChapterFile) -> list[str]:
    """Each exercise has a task, a folded solution, tests (visible and hidden) and
    points that add up.
    """
    problems, graded, read = [], 0, 0
    number = chapter.facts.get("chapter")
    for index, (title, cells) in enumerate(_exercises(chapter), start=1):
        heading = HEADING.match(title)
        if heading is None or heading[1] != str(number) or heading[2] != str(index):
            problems.append(
                f"'{title}' must read 'Exercise {number}.{index} · Title (10 minutes, "
                "3 points)'"
            )
            continue
        points = sum(marks.get("points", 0) for _, marks in cells if marks.get("grade"))
        answers = [
            cell
            for cell, marks in cells
            if marks.get("solution") and marks.get("grade")
        ]
        faults = _open_problems(answers) if answers else _graded_problems(cells)
        if points != int(heading[5]):
            faults.append(f"its cells give {points} points")
        problems += [f"'{title}': {fault}" for fault in faults]
        read += bool(answers)
        graded += not answers
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
    problems = [
        f"the grade_id {name!r} occurs twice"
        for name in twice(mark["grade_id"] for mark in marks)
    ]
    inside = sum(1 for _, cells in _exercises(chapter) for _, mark in cells if mark)
    if inside < len(marks):
        problems.append(
            f"{len(marks) - inside} cells with nbgrader's metadata are outside the "
            "exercises"
        )
    return problems + [
        f"{mark['grade_id']}: schema_version must be 3"
        for mark in marks
        if mark.get("schema_version") != 3
    ]


def _exercises(chapter: ChapterFile) -> list[tuple[str, Cells]]:
    """Return each exercise's heading, and its cells."""
    headings = {n: text for n, level, text in chapter.headings if level <= 3}
    thirds = {n for n, level, _ in chapter.headings if level == 3}
    found: list[tuple[str, Cells]] = []
    inside = False
    for number, cell in enumerate(chapter.cells, start=1):
        if number in headings:
            text = headings[number]
            inside = number in thirds and text.startswith("Exercise ")
            if inside:
                found.append((text, []))
        if inside:
            found[-1][1].append((cell, cell["metadata"].get("nbgrader", {})))
    return found


def _graded_problems(cells: Cells) -> list[str]:
    solutions = [
        cell
        for cell, marks in cells
        if marks.get("solution") and cell["cell_type"] == "code"
    ]
    tests = [(cell, marks) for cell, marks in cells if marks.get("grade")]
    problems = [] if solutions else ["it has no solution"]
    for cell in solutions:
        metadata = cell["metadata"]
        if not SOLUTION.search(text_of(cell["source"])):
            problems.append(
                "its solution must be between ### BEGIN SOLUTION and ### END SOLUTION"
            )
        is_folded = "hide-input" in metadata.get("tags", [])
        if not is_folded or metadata.get("mystnb") != FOLDED:
            problems.append(
                "its solution must be folded: the tag hide-input, and mystnb's two "
                "prompts"
            )
    if not tests:
        problems.append("it has no tests")
    for cell, marks in tests:
        visible, hidden = TESTS.match(text_of(cell["source"])).groups()
        if not (marks.get("locked") and marks.get("points")):
            problems.append("its tests must be locked and have points")
        if "assert" not in visible:
            problems.append("its tests must begin with asserts that the student sees")
        if not hidden:
            problems.append(
                "its tests must have a hidden part, from ### BEGIN HIDDEN TESTS to ### "
                "END HIDDEN TESTS"
            )
    return problems


def _open_problems(answers: list[dict]) -> list[str]:
    problems = []
    for cell in answers:
        answer = ANSWER.search(text_of(cell["source"]))
        words = len(answer[1].split()) if answer else 0
        if cell["cell_type"] != "markdown" or words < 20:
            problems.append(
                "its model answer must be a Markdown cell of 20 words or more, folded "
                "inside <details>"
            )
        if cell["metadata"]["nbgrader"].get("locked"):
            problems.append(
                "the student must be able to write the answer: locked must be false"
            )
    return problems


RULES = (exercises_are_complete, grade_ids_are_unique)
