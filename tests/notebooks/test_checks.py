"""Each rule is broken once in a chapter that keeps to all of them, and the check for it
must notice.
"""

import base64
import io
import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_output
from PIL import Image

from genai_tutorial.notebook.execute import normalise
from genai_tutorial.notebook.frames import WIDGET_VIEW
from tests.notebooks import (
    code_checks,
    exercise_checks,
    markdown_checks,
    output_checks,
)
from tests.notebooks.exceptions import (
    found_exceptions,
    grown,
    unlisted_and_outdated,
)
from tests.notebooks.sample import NAME, chapter_file, sample_notebook
from tests.notebooks.test_notebooks import CHECKS

BREAKS: list = []


def breaks(
    check: Callable, message: str, *, name: str = NAME, seconds: int = 20
) -> Callable:
    """Register a function that spoils the sample notebook in one way, which `check`
    must name with `message`.
    """
    file = {"name": name, "seconds": seconds}

    def register(spoil: Callable) -> Callable:
        BREAKS.append(
            pytest.param(spoil, check, message, file, id=spoil.__name__.strip("_"))
        )
        return spoil

    return register


def cell(notebook: NotebookNode, beginning: str) -> NotebookNode:
    (found,) = (cell for cell in notebook.cells if cell.source.startswith(beginning))
    return found


def add(notebook: NotebookNode, text: str) -> None:
    cell(notebook, "## The idea").source += f"\n\n{text}"


def graded(notebook: NotebookNode, grade_id: str) -> NotebookNode:
    (found,) = (
        c
        for c in notebook.cells
        if c.metadata.get("nbgrader", {}).get("grade_id") == grade_id
    )
    return found


def in_full_colour(width: int, height: int) -> str:
    stream = io.BytesIO()
    noise = random.Random(0).randbytes(width * height * 3)
    Image.frombytes("RGB", (width, height), noise).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


def test_the_sample_keeps_to_every_rule(tmp_path: Path):
    chapter = chapter_file(sample_notebook(), tmp_path)
    faults = {
        check.__name__: check(chapter) for check in (*CHECKS, *code_checks.CHECKS)
    }
    assert {name: found for name, found in faults.items() if found} == {}


def test_every_rule_is_broken_once():
    assert {case.values[1] for case in BREAKS} == {*CHECKS, *code_checks.CHECKS}


# --- Markdown


@breaks(markdown_checks.links_resolve, "no_such.md is not a file that git knows")
def _link_to_nothing(notebook):
    add(notebook, "[words](../book/no_such.md)")


@breaks(markdown_checks.links_resolve, "without #heading")
def _link_to_a_heading(notebook):
    add(notebook, "[words](../book/glossary.md#token)")


@breaks(markdown_checks.links_resolve, "path of one machine")
def _link_to_a_path(notebook):
    add(notebook, "[words](/etc/hosts)")


@breaks(markdown_checks.links_resolve, "must be a file")
def _link_with_another_scheme(notebook):
    add(notebook, "[words](ftp://example.org/words)")


@breaks(markdown_checks.links_resolve, "lies on another host")
def _picture_on_another_host(notebook):
    add(notebook, "![A cat on a mat](https://example.org/cat.png)")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("```{note}\nwords\n```", "a directive"),
        (":::{note}\nwords\n:::", "a directive"),
        ("See {cite}`vaswani`.", "a role"),
        ("Words.[^1]", "a footnote"),
        ("> [!NOTE]\n> words", "an alert"),
        ("- [ ] to do", "a task list"),
        ("(label)=", "a label"),
        ("% hidden", "a MyST comment"),
        ("<div>words</div>", "<div>"),
        ("words <span>in</span> line", "<span>"),
        ("> **Caution.** words", "Caution."),
    ],
)
def test_markdown_that_only_one_viewer_shows(text: str, message: str, tmp_path: Path):
    notebook = sample_notebook()
    add(notebook, text)
    problems = markdown_checks.markdown_is_plain(chapter_file(notebook, tmp_path))
    assert len(problems) == 1
    assert message in problems[0]


@breaks(markdown_checks.markdown_is_plain, "a directive")
def _directive(notebook):
    add(notebook, "```{figure} x.png\n```")


@breaks(markdown_checks.pictures_in_markdown_have_text, "no alternative text")
def _picture_without_text(notebook):
    add(notebook, "![](../book/images/colab.svg)")


@breaks(markdown_checks.pictures_in_markdown_have_text, "attachment")
def _attachment(notebook):
    cell(notebook, "## The idea").attachments = {"x.png": {"image/png": "AAAA"}}


@pytest.mark.parametrize(
    "text",
    [
        "Vaswani et al. say so.",
        "so it is (Ho, 2020).",
        "as in arXiv:1706.03762",
        "shown [3].",
    ],
)
def test_citation_without_a_link(text: str, tmp_path: Path):
    notebook = sample_notebook()
    add(notebook, text)
    assert (
        len(markdown_checks.citations_are_links(chapter_file(notebook, tmp_path))) == 1
    )


@breaks(markdown_checks.citations_are_links, "is not a link")
def _citation_without_link(notebook):
    add(notebook, "Attention is all you need (Vaswani et al., 2017).")


@breaks(markdown_checks.citations_are_in_the_bibliography, "2006.11239 is not in")
def _paper_outside_the_bibliography(notebook):
    add(notebook, "[Ho et al.](https://arxiv.org/pdf/2006.11239v2)")


@breaks(markdown_checks.headings_in_order, "title must stand first")
def _second_title(notebook):
    add(notebook, "# Another title")


@breaks(markdown_checks.headings_in_order, "leaves out a level")
def _level_left_out(notebook):
    add(notebook, "#### Too deep")


@breaks(markdown_checks.headings_in_order, "'## At scale' is missing")
def _section_missing(notebook):
    cell(notebook, "## At scale").source = "Text."


@breaks(markdown_checks.headings_in_order, "in the order")
def _sections_swapped(notebook):
    cell(notebook, "## At scale").source = "## In production"
    cell(notebook, "## In production\n\nText.").source = "## At scale"


@breaks(markdown_checks.opening_is_complete, "Colab badge")
def _badge_of_another_notebook(notebook):
    notebook.cells[0].source = notebook.cells[0].source.replace(NAME, "08_other.ipynb")


@breaks(markdown_checks.opening_is_complete, "reading time")
def _wrong_reading_time(notebook):
    notebook.metadata.genai_tutorial.reading_minutes = 45


@breaks(markdown_checks.opening_is_complete, "recorded [50], stated [20]", seconds=50)
def _running_time_of_another_run(notebook):
    pass


@breaks(markdown_checks.opening_is_complete, "recorded [20], stated []")
def _running_time_in_other_words(notebook):
    notebook.cells[0].source = notebook.cells[0].source.replace("20 s", "a moment")


@breaks(markdown_checks.opening_is_complete, "must name the room")
def _room_not_named(notebook):
    notebook.cells[0].source = notebook.cells[0].source.replace("`transformer`", "none")


@breaks(markdown_checks.vocabulary_links_to_the_glossary, "at least 3 words")
def _vocabulary_without_links(notebook):
    ending = cell(notebook, "## Summary")
    ending.source = ending.source.replace("[logit](../book/glossary.md)", "logit")


# --- Outputs


@breaks(output_checks.no_stored_error, "it stopped with ValueError")
def _stored_error(notebook):
    cell(notebook, "print").outputs = [
        new_output("error", ename="ValueError", evalue="no", traceback=[])
    ]


@breaks(output_checks.no_widget_view, "a widget view")
def _widget_view(notebook):
    cell(notebook, "frames").outputs[0].data[WIDGET_VIEW] = {
        "model_id": "1",
        "version_major": 2,
        "version_minor": 0,
    }


@breaks(output_checks.no_widget_view, "state of widgets")
def _widget_state(notebook):
    notebook.metadata.widgets = {}


@breaks(output_checks.small_enough, "a chapter may have 1.5 MB")
def _too_large(notebook):
    cell(notebook, "print").outputs[0].text = "4\n" * 800_000


@breaks(
    output_checks.pictures_have_text, "no real alternative text for a picture, got ''"
)
def _figure_without_text(notebook):
    cell(notebook, "show(").outputs[0].metadata = {}


@breaks(output_checks.pictures_have_text, "no real alternative text")
def _figure_named_after_its_file(notebook):
    cell(notebook, "show(").outputs[0].metadata[
        "image/png"
    ].alt = "figures/the_loss_over_all_steps.png"


@breaks(output_checks.pictures_have_text, "250 are allowed")
def _endless_text(notebook):
    cell(notebook, "show(").outputs[0].metadata["image/png"].alt = "words " * 50


@breaks(output_checks.pictures_have_text, "the same alternative text as in cell 4")
def _text_copied(notebook):
    cell(notebook, "print").outputs.append(cell(notebook, "show(").outputs[0])


@breaks(output_checks.pictures_have_text, "inside HTML")
def _html_picture_without_text(notebook):
    cell(notebook, "claims").outputs[0].data["text/html"] = (
        '<p><img src="data:image/png;base64,AA"></p>'
    )


@breaks(output_checks.pictures_are_sane, "50 by 30 pixels")
def _tiny_picture(notebook):
    cell(notebook, "show(").outputs[0].data["image/png"] = in_full_colour(50, 30)


@breaks(output_checks.pictures_are_sane, "from 2 to 64 colours")
def _picture_in_full_colour(notebook):
    cell(notebook, "show(").outputs[0].data["image/png"] = in_full_colour(200, 100)


@breaks(output_checks.pictures_are_sane, "image/svg+xml")
def _vector_picture(notebook):
    cell(notebook, "show(").outputs[0].data["image/svg+xml"] = "<svg/>"


@breaks(output_checks.executed_in_order, "run the notebook from the top")
def _cell_not_run(notebook):
    cell(notebook, "print").execution_count = None


@breaks(output_checks.executed_in_order, "an output from another run")
def _output_of_another_run(notebook):
    cell(notebook, "frames").outputs[0].execution_count = 17


@breaks(output_checks.written_by_execute, "written by an editor")
def _random_cell_id(notebook):
    notebook.cells[3].id = "a1b2c3d4"


@breaks(output_checks.written_by_execute, "written by an editor")
def _metadata_of_an_editor(notebook):
    notebook.metadata["vscode"] = {"x": 1}


@pytest.mark.parametrize(
    "text",
    [
        "saved /home/ada/model.pt",
        "C:\\Users\\ada",
        "<Axes at 0x7f3a1b2c3d4e>",
        "20it/s",
        "see /tmp/x",
    ],
)
def test_what_is_another_on_the_next_machine(text: str, tmp_path: Path):
    notebook = sample_notebook()
    cell(notebook, "print").outputs[0].text = text
    assert (
        len(output_checks.nothing_of_this_machine(chapter_file(notebook, tmp_path)))
        == 1
    )


@breaks(output_checks.nothing_of_this_machine, "a warning or a log")
def _warning(notebook):
    cell(notebook, "print").outputs[0].name = "stderr"


@breaks(output_checks.nothing_from_other_hosts, "https://")
def _script_from_another_host(notebook):
    html = '<script src="https://cdn.example.org/x.js"></script>'
    cell(notebook, "claims").outputs[0].data["text/html"] = html


@breaks(output_checks.sources_are_fresh, "has changed since")
def _source_of_yesterday(notebook):
    cell(notebook, "show_source").outputs[0].data["text/plain"] += "\n    # gone"


@breaks(output_checks.sources_are_fresh, "has changed since")
def _source_that_was_renamed(notebook):
    cell(notebook, "show_source").outputs[
        0
    ].metadata.genai_tutorial.source.name = "old_name"


@breaks(output_checks.sources_are_fresh, "at least one part")
def _no_source(notebook):
    cell(notebook, "show_source").outputs = []


@breaks(output_checks.claims_are_kept, "at least 3 claims, got 2")
def _too_few_claims(notebook):
    cell(notebook, "claims").outputs.pop()


@breaks(output_checks.claims_are_kept, "is there twice")
def _claim_made_twice(notebook):
    cell(notebook, "claims").outputs.append(cell(notebook, "claims").outputs[0])


@breaks(output_checks.has_an_interactive_figure, "at least one interactive figure")
def _nothing_to_move(notebook):
    cell(notebook, "frames").outputs = []


@breaks(output_checks.tags_are_known, "nbval-chek-output")
def _mistyped_tag(notebook):
    cell(notebook, "show_source").metadata.tags = ["nbval-chek-output"]


@breaks(output_checks.tags_are_known, "no cell carries")
def _nothing_checked(notebook):
    cell(notebook, "print").metadata.tags = []


# --- Exercises and metadata


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


@breaks(exercise_checks.metadata_is_complete, "'colour', which nothing reads")
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


@breaks(exercise_checks.setup_cell_is_the_usual_one, "the first code cell must be")
def _another_setup(notebook):
    cell(notebook, "import sys").source += "\nimport torch"


@breaks(exercise_checks.setup_cell_is_the_usual_one, "must be folded")
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


@breaks(exercise_checks.grade_ids_are_unique, "'ex-9-1' is there twice")
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


# --- Code and claims: rules with exceptions


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


@breaks(code_checks.claims_have_something_to_beat, "Claim 0: say what it must beat")
def _claim_without_baseline(notebook):
    del cell(notebook, "claims").outputs[0].metadata.genai_tutorial.claim["baseline"]


@breaks(code_checks.imports_come_from_rooms, "import it from genai_tutorial.vae")
def _import_from_a_module(notebook):
    cell(notebook, "frames").source += "\nfrom genai_tutorial.vae.bounds import elbo"


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


def test_rules_for_shown_code_let_folded_and_graded_cells_be(tmp_path: Path):
    """What is folded may be wide and long, what is graded may be long."""
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


def test_claims_that_are_recorded_or_exact_need_no_baseline(tmp_path: Path):
    notebook = sample_notebook()
    facts = [
        output.metadata.genai_tutorial.claim
        for output in cell(notebook, "claims").outputs
    ]
    del facts[0]["baseline"], facts[1]["baseline"]
    facts[0]["recorded"], facts[1]["exact"] = "diffusion_steps", True
    chapter = chapter_file(notebook, tmp_path)
    assert code_checks.claims_have_something_to_beat(chapter) == {}


def test_exceptions_excuse_what_they_list_and_nothing_else():
    faults = {"listed": "wide", "new": "long"}
    problems = unlisted_and_outdated(faults, ["listed", "mended"])
    assert len(problems) == 2
    assert problems[0] == "new: long"
    assert problems[1].startswith("mended: no longer at fault")


def test_exceptions_are_found_by_rule_and_chapter(tmp_path: Path):
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
def test_exceptions_may_change_their_key_but_not_grow(after: dict, chapters: list[str]):
    more = grown({"rule": {"a": ["old"]}}, after)
    assert [problem.partition(",")[0] for problem in more] == chapters


# --- Every break is noticed


@pytest.mark.parametrize(("spoil", "check", "message", "file"), BREAKS)
def test_check_notices(
    spoil: Callable, check: Callable, message: str, file: dict, tmp_path: Path
):
    notebook = sample_notebook()
    spoil(notebook)
    if (
        check is not output_checks.written_by_execute
        and check is not output_checks.no_widget_view
    ):
        normalise(notebook)
    problems = check(chapter_file(notebook, tmp_path, **file))
    if isinstance(problems, dict):
        problems = [f"{key}: {fault}" for key, fault in problems.items()]
    assert len(problems) >= 1
    assert any(re.search(re.escape(message), problem) for problem in problems), problems
