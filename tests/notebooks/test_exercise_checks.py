"""Each rule for exercises and metadata is broken once, and its check must report it."""

from pathlib import Path

import pytest

from tests.notebooks import exercise_checks
from tests.notebooks.breaks import Break, Breaks, cell, graded

breaks = Breaks()


@breaks(exercise_checks.metadata_is_complete, "lacks 'extras'")
def _fact_missing(notebook):
    del notebook.metadata.genai_tutorial["extras"]


@breaks(exercise_checks.metadata_is_complete, "no 'genai_tutorial'")
def _no_facts(notebook):
    del notebook.metadata["genai_tutorial"]


@breaks(exercise_checks.metadata_is_complete, "no extra 'txt'")
def _unknown_extra(notebook):
    notebook.metadata.genai_tutorial.extras = ["txt"]


@breaks(exercise_checks.metadata_is_complete, "no room 'attic'")
def _unknown_room(notebook):
    notebook.metadata.genai_tutorial.rooms = ["attic"]


@breaks(exercise_checks.metadata_is_complete, "'colour', which is unknown")
def _unknown_fact(notebook):
    notebook.metadata.genai_tutorial.colour = "blue"


@breaks(exercise_checks.metadata_is_complete, "chapters before this one")
def _builds_on_itself(notebook):
    notebook.metadata.genai_tutorial.builds_on = [9]


@breaks(exercise_checks.metadata_is_complete, "not a chapter's reading time")
def _endless_chapter(notebook):
    notebook.metadata.genai_tutorial.reading_minutes = 600


@breaks(exercise_checks.metadata_is_complete, "and 9 by its heading")
def _number_of_another_chapter(notebook):
    notebook.metadata.genai_tutorial.chapter = 8


@breaks(
    exercise_checks.metadata_is_complete,
    "must be in a file 09_",
    name="10_sample.ipynb",
)
def _file_of_another_number(notebook):
    pass


@breaks(exercise_checks.setup_cell_is_standard, "the first code cell must be")
def _another_setup(notebook):
    cell(notebook, "import sys").source += "\nimport torch"


@breaks(exercise_checks.setup_cell_is_standard, "must be folded")
def _setup_in_full_view(notebook):
    cell(notebook, "import sys").metadata.tags = []


@breaks(exercise_checks.exercises_are_complete, "must read 'Exercise 9.2")
def _wrong_number(notebook):
    task = cell(notebook, "### Exercise 9.2")
    task.source = task.source.replace("9.2", "9.3")


@breaks(exercise_checks.exercises_are_complete, "its cells give 2 points")
def _points_do_not_add_up(notebook):
    task = cell(notebook, "### Exercise 9.2")
    task.source = task.source.replace("2 points", "3 points")


@breaks(exercise_checks.exercises_are_complete, "it has no solution")
def _no_solution(notebook):
    graded(notebook, "ex-9-1").metadata.nbgrader.solution = False


@breaks(exercise_checks.exercises_are_complete, "between ### BEGIN SOLUTION")
def _empty_solution(notebook):
    graded(
        notebook, "ex-9-1"
    ).source = "def f1():\n    ### BEGIN SOLUTION\n    ### END SOLUTION"


@breaks(exercise_checks.exercises_are_complete, "solution must be folded")
def _solution_in_full_view(notebook):
    graded(notebook, "ex-9-1").metadata.tags = []


@breaks(exercise_checks.exercises_are_complete, "it has no tests")
def _no_tests(notebook):
    del graded(notebook, "ex-9-1-tests").metadata["nbgrader"]


@breaks(exercise_checks.exercises_are_complete, "locked and have points")
def _tests_that_can_be_edited(notebook):
    graded(notebook, "ex-9-1-tests").metadata.nbgrader.locked = False


@breaks(exercise_checks.exercises_are_complete, "asserts that the student sees")
def _only_hidden_tests(notebook):
    tests = graded(notebook, "ex-9-1-tests")
    tests.source = tests.source.partition("\n")[2]


@breaks(exercise_checks.exercises_are_complete, "a hidden part")
def _only_visible_tests(notebook):
    tests = graded(notebook, "ex-9-1-tests")
    tests.source = tests.source.partition("\n")[0]


@breaks(exercise_checks.exercises_are_complete, "graded by tests, got 2")
def _two_exercises(notebook):
    start = notebook.cells.index(cell(notebook, "### Exercise 9.3"))
    del notebook.cells[start : start + 3]
    task = cell(notebook, "### Exercise 9.4")
    task.source = task.source.replace("9.4", "9.3")


@breaks(exercise_checks.exercises_are_complete, "an open question")
def _no_open_question(notebook):
    start = notebook.cells.index(cell(notebook, "### Exercise 9.4"))
    del notebook.cells[start : start + 2]


@breaks(exercise_checks.exercises_are_complete, "model answer")
def _answer_in_full_view(notebook):
    graded(notebook, "ex-9-4").source = "It depends."


@breaks(exercise_checks.exercises_are_complete, "locked must be false")
def _answer_that_cannot_be_written(notebook):
    graded(notebook, "ex-9-4").metadata.nbgrader.locked = True


@breaks(exercise_checks.grade_ids_are_unique, "'ex-9-1' occurs twice")
def _same_id(notebook):
    graded(notebook, "ex-9-2").metadata.nbgrader.grade_id = "ex-9-1"


@breaks(exercise_checks.grade_ids_are_unique, "outside the exercises")
def _graded_outside(notebook):
    cell(notebook, "print").metadata.nbgrader = dict(
        graded(notebook, "ex-9-1").metadata.nbgrader, grade_id="stray"
    )


@breaks(exercise_checks.grade_ids_are_unique, "schema_version must be 3")
def _old_schema(notebook):
    graded(notebook, "ex-9-2").metadata.nbgrader.schema_version = 2


def test_exercise_checks_each_have_a_break():
    assert breaks.checks == set(exercise_checks.CHECKS)


@pytest.mark.parametrize("case", breaks.all, ids=str)
def test_exercise_check_reports_broken_rule(case: Break, tmp_path: Path):
    case.assert_reported(tmp_path)
