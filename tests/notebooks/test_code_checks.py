"""Each rule for code and claims is broken once, and listed exceptions are excused."""

from pathlib import Path

import pytest

from tests.notebooks import code_checks
from tests.notebooks.breaks import Break, Breaks, cell, graded
from tests.notebooks.exceptions import found_exceptions, grown, unlisted_and_outdated
from tests.notebooks.sample import chapter_file, sample_notebook

breaks = Breaks()


@breaks(code_checks.shown_code_fits_the_page, "a line of 89 columns")
def _wide_line(notebook):
    cell(notebook, "print").source += "\nx = 1  # " + "x" * 80


@breaks(code_checks.shown_cells_are_short, "31 lines of code")
def _long_cell(notebook):
    cell(notebook, "print").source += "\n\nx = 1" * 30


@breaks(code_checks.claims_are_short, "19 words")
def _long_claim(notebook):
    fact = cell(notebook, "claims").outputs[0].metadata.genai_tutorial.claim
    fact.statement = " ".join(["word"] * 19)


@breaks(code_checks.claims_have_something_to_beat, "Claim 0: give a baseline")
def _claim_without_baseline(notebook):
    del cell(notebook, "claims").outputs[0].metadata.genai_tutorial.claim["baseline"]


@breaks(
    code_checks.imports_come_from_rooms,
    "import it from the room above genai_tutorial.vae.bounds",
)
def _import_from_a_module(notebook):
    cell(notebook, "frames").source += "\nfrom genai_tutorial.vae.bounds import elbo"


@breaks(code_checks.imports_come_from_rooms, "above genai_tutorial.tasks.shapes.scenes")
def _import_from_a_module_of_a_task(notebook):
    cell(
        notebook, "frames"
    ).source += "\nfrom genai_tutorial.tasks.shapes.scenes import render"


@breaks(code_checks.imports_come_from_rooms, "genai_tutorial.vae.bounds: import it")
def _import_of_a_module(notebook):
    cell(notebook, "frames").source += "\nimport genai_tutorial.vae.bounds"


@breaks(
    code_checks.runs_in_the_time_of_a_chapter,
    "it ran 120 s; a chapter may run 90 s",
    seconds=120,
)
def _slow_chapter(notebook):
    pass


def test_shown_code_rules_exempt_folded_and_graded_cells(tmp_path: Path):
    """Folded cells may be wide and long; graded cells may be long."""
    notebook = sample_notebook()
    long = "\nx = 1" * 40
    wide = "\nx = 1  # " + "x" * 80
    folded, test = cell(notebook, "show("), graded(notebook, "ex-9-1-tests")
    folded.metadata.tags = ["hide-input"]
    folded.source += long + wide
    test.source += long
    cell(notebook, "frames").source += "\nfrom genai_tutorial.vae import elbo"
    chapter = chapter_file(notebook, tmp_path)
    assert [check(chapter) for check in code_checks.CHECKS] == [{}] * len(
        code_checks.CHECKS
    )


def test_recorded_and_exact_claims_need_no_baseline(tmp_path: Path):
    notebook = sample_notebook()
    facts = [
        output.metadata.genai_tutorial.claim
        for output in cell(notebook, "claims").outputs
    ]
    del facts[0]["baseline"], facts[1]["baseline"]
    facts[0]["recorded"], facts[1]["exact"] = "diffusion_steps", True
    chapter = chapter_file(notebook, tmp_path)
    assert code_checks.claims_have_something_to_beat(chapter) == {}


def test_exceptions_excuse_only_listed_faults():
    faults = {"listed": "wide", "new": "long"}
    problems = unlisted_and_outdated(faults, ["listed", "fixed"])
    assert len(problems) == 2
    assert problems[0] == "new: long"
    assert problems[1].startswith("fixed: no longer at fault")


def test_import_from_task_counts_as_import_from_room(tmp_path: Path):
    notebook = sample_notebook()
    cell(
        notebook, "frames"
    ).source += "\nfrom genai_tutorial.tasks.shapes import render"
    assert found_exceptions([chapter_file(notebook, tmp_path)]) == {}


def test_found_exceptions_are_grouped_by_rule_and_chapter(tmp_path: Path):
    notebook = sample_notebook()
    assert found_exceptions([chapter_file(notebook, tmp_path)]) == {}
    _import_of_a_module(notebook)
    assert found_exceptions([chapter_file(notebook, tmp_path)]) == {
        "imports_come_from_rooms": {"09_sample": ["genai_tutorial.vae.bounds"]}
    }


@pytest.mark.parametrize(
    ("after", "chapters"),
    [
        ({"rule": {"a": ["edited"]}}, []),
        ({}, []),
        ({"rule": {"a": ["old", "new"]}}, ["a"]),
        ({"rule": {"b": ["new"]}}, ["b"]),
        ({"another rule": {"a": ["new"]}}, ["a"]),
    ],
)
def test_exceptions_may_change_keys_but_not_grow(after: dict, chapters: list[str]):
    more = grown({"rule": {"a": ["old"]}}, after)
    assert [problem.partition(",")[0] for problem in more] == chapters


def test_code_checks_each_have_a_break():
    assert breaks.checks == set(code_checks.CHECKS)


@pytest.mark.parametrize("case", breaks.all, ids=str)
def test_code_check_reports_broken_rule(case: Break, tmp_path: Path):
    case.assert_reported(tmp_path)
