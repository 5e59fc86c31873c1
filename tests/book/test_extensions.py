"""The book's own Sphinx extensions, tested without a build."""

import base64
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def extensions_on_path(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "book"))
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "_ext"]:
        del sys.modules[name]


def test_exercise_is_shown_without_markers_and_hidden_tests():
    from _ext.notebooks import as_shown

    solution = (
        "def f(x):\n    ### BEGIN SOLUTION\n    return x + 1\n    ### END SOLUTION"
    )
    assert as_shown(solution) == "def f(x):\n    return x + 1"
    tests = (
        "assert f(1) == 2\n### BEGIN HIDDEN TESTS\nassert f(2) == 3\n### END HIDDEN "
        "TESTS\nassert f(0) == 1\n"
    )
    assert as_shown(tests) == "assert f(1) == 2\nassert f(0) == 1"
    two = tests + tests
    assert "f(2)" not in as_shown(two)
    assert as_shown("x = 1  # nothing to hide\n") == "x = 1  # nothing to hide"


def test_alt_texts_are_looked_up_by_image_bytes():
    from _ext.notebooks import alternative_texts

    def output(content: str, **metadata) -> dict:
        return {"data": {"image/png": content, "text/plain": "x"}, "metadata": metadata}

    cell = {
        "outputs": [output("AAAA", **{"image/png": {"alt": "zeros"}}), output("//8=\n")]
    }
    texts = alternative_texts({"cells": [cell, {"source": "no outputs"}]})
    assert sorted(texts.values()) == ["", "zeros"]
    assert all(len(name) == 64 for name in texts)


def test_glossary_lookup_handles_plurals_and_both_spellings():
    from _ext.glossary import candidates

    assert "log-likelihood" in candidates("Log-likelihoods")
    assert "vocabulary" in candidates("vocabularies")
    assert "optimizer" in candidates("optimizers")
    assert "softmax" in candidates("softmax")


def test_outline_has_seven_parts_and_chapters_0_to_35():
    from _ext.chapter_map import read_outline

    parts = read_outline(ROOT)
    assert [part.numeral for part in parts] == [
        "Part I", "Part II", "Part III", "Part IV", "Part V", "Part VI", "Part VII",
    ]  # fmt: skip
    numbers = [chapter.number for part in parts for chapter in part.chapters]
    assert numbers == list(range(36))
    ready = {
        chapter.document
        for part in parts
        for chapter in part.chapters
        if chapter.document
    }
    assert ready == {
        f"notebooks/{path.stem}"
        for path in (ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")
    }


def test_map_names_every_chapter_and_links_only_to_ready_ones():
    from _ext.chapter_map import Chapter, Part, draw_map

    ready = Chapter(1, "Ready & done", "notebooks/01", 5, 60)
    planned = Chapter(2, "Planned")
    drawing = draw_map(
        [Part(1, "One", (ready, planned))],
        [[1]],
        "narrow",
        lambda document: f"../{document}.html",
    )
    assert drawing.count("<a ") == 1
    assert 'href="../notebooks/01.html"' in drawing
    assert "Ready &amp; done" in drawing
    assert "Planned" in drawing


def test_table_of_contents_lists_chapters_in_order_and_all_rooms():
    import yaml

    contents = yaml.safe_load((ROOT / "_toc.yml").read_text("utf8"))
    files = [page["file"] for part in contents["parts"] for page in part["chapters"]]
    notebooks = [file for file in files if file.startswith("notebooks/")]
    numbered = [file for file in notebooks if file[len("notebooks/")].isdigit()]
    assert numbered == sorted(numbered)
    assert sorted(notebooks) == sorted(
        f"notebooks/{path.stem}" for path in (ROOT / "notebooks").glob("*.ipynb")
    )
    reference = next(
        page
        for part in contents["parts"]
        for page in part["chapters"]
        if page["file"] == "book/api/index"
    )
    rooms = {Path(section["file"]).name for section in reference["sections"]}
    packages = {
        path.parent.name for path in (ROOT / "genai_tutorial").glob("*/__init__.py")
    }
    assert rooms == packages - {"cli"}


def test_download_is_valid_notebook():
    from _ext.notebooks import shown_notebook

    cell = {
        "cell_type": "code",
        "metadata": {},
        "source": ["### BEGIN SOLUTION\n", "é = 1\n", "### END SOLUTION"],
    }
    shown = json.loads(shown_notebook(json.dumps({"cells": [cell], "nbformat": 4})))
    assert shown["cells"][0]["source"] == ["é = 1"]


def test_download_has_first_frame_of_interactive_figure():
    from _ext.notebooks import downloaded_notebook

    html = (
        '<div class="genai-frames"><img src="data:,"><p>Run this cell.</p>'
        '<script type="application/json">{"sliders": {}}</script>\n'
        "<script>show();</script></div>"
    )
    box = "<div><script>keep();</script></div>"
    cell = {
        "cell_type": "code",
        "metadata": {},
        "source": [],
        "outputs": [{"data": {"text/html": [text]}} for text in (html, box)],
    }
    notebook = json.dumps({"cells": [cell], "nbformat": 4})
    (shown,) = json.loads(downloaded_notebook(notebook))["cells"]
    figure, other = (out["data"]["text/html"] for out in shown["outputs"])
    first = '<div class="genai-frames"><img src="data:,"><p>Run this cell.</p></div>'
    assert figure == first
    assert other == [box]


def test_room_reference_lists_public_names_with_constants_first():
    from types import ModuleType

    from _ext.room_reference import public_names

    room = ModuleType("room")
    room.draw, room.Shape, room.SHAPES, room._inside, room.os = len, int, (), 1, json
    assert public_names(room) == ["SHAPES", "Shape", "draw"]
    from genai_tutorial.tasks import recall  # a room that is one module

    assert public_names(recall)[:2] == ["MemoryRule", "answer_accuracy"]


def test_room_reference_describes_each_field_once():
    from collections import namedtuple
    from dataclasses import dataclass

    from _ext.room_reference import _fields

    @dataclass
    class Shape:
        draw: object = len
        sides: int = 3

    assert _fields(Shape) == ["draw"]
    assert _fields(namedtuple("Point", "x y")) == ["x", "y"]
    assert _fields(len) == []


def board_row(number: int, statement: str, measured: str, baseline: str = ""):
    from types import SimpleNamespace

    chapter = SimpleNamespace(number=number)
    return SimpleNamespace(
        chapter=chapter,
        statement=statement,
        measured=measured,
        baseline=baseline,
        versus="without: 3.98",
        items=1200,
    )


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("", None), ("right", "0.42"), ("read, at best", "1,200"),
        ("wrong", "-3.1e-07"), ("baseline chance", "0.100"), ("chance", None),
        ("versus without", "3.98"), ("items", "1,200"),
        ("righ", None),
    ],
)  # fmt: skip
def test_measured_role_finds_numbers_by_name(name, number):
    from _ext.claims import find_number

    figures = (
        "right: 0.42 (95% interval 0.30 to 0.54); read, at best: 1,200; wrong: -3.1e-07"
    )
    rows = [
        board_row(3, "Most are right", figures, "chance: 0.100"),
        board_row(4, "Most are right", "0.9"),
    ]
    if number is None:
        with pytest.raises(ValueError, match="has no number called"):
            find_number(rows, 3, "Most", name)
    else:
        assert find_number(rows, 3, "Most", name) == (number, rows[0])


def test_measured_role_refuses_missing_and_ambiguous_claims():
    from _ext.claims import find_number

    rows = [board_row(3, "Most are right", "1"), board_row(3, "Most are wrong", "2")]
    for beginning, count in (("Most are", 2), ("Few", 0)):
        with pytest.raises(ValueError, match=f"^{count} claims of chapter 3 begin"):
            find_number(rows, 3, beginning, "")


def test_measured_role_rounds_shares_to_percentages():
    from _ext.claims import as_percentage

    shares = {
        "0.908": "91%", "0.0149": "1.5%", "0.575": "58%", "1.00": "100%", "0": "0%",
    }  # fmt: skip
    assert {share: as_percentage(share) for share in shares} == shares


def claim_cell(source: str, claims: int) -> dict:
    box = '<p class="genai-claim" id="claim-{}">✓ So it is.</p>'
    outputs = [{"data": {"text/html": box.format(n)}} for n in range(claims)]
    metadata = {"tags": ["claim", "hide-input"]}
    cell = {
        "cell_type": "code",
        "metadata": metadata,
        "source": source.splitlines(True),
    }
    return cell | {"outputs": outputs}


def test_checks_are_folded_into_the_boxes_of_their_claims():
    from _ext.notebooks import page_notebook

    source = 'gap = 1 - 1\nclaim("a", holds=gap == 0)\nclaim("b", holds=gap < 1)'
    shown = json.loads(page_notebook(json.dumps({"cells": [claim_cell(source, 2)]})))
    (cell,) = shown["cells"]
    assert cell["source"] == ["pass"]
    assert cell["metadata"]["tags"] == ["remove-input"]
    boxes = ["".join(output["data"]["text/html"]) for output in cell["outputs"]]
    soups = [BeautifulSoup(box, "html.parser") for box in boxes]
    assert [soup.div["id"] for soup in soups] == ["claim-0", "claim-1"]
    assert [soup.pre.get_text().strip() for soup in soups] == [
        'gap = 1 - 1\nclaim("a", holds=gap == 0)',
        'claim("b", holds=gap < 1)',
    ]


def test_checks_of_claims_in_a_loop_are_shown_once():
    from _ext.notebooks import page_notebook

    source = "for name in names:\n    claim(name, holds=True)"
    shown = json.loads(page_notebook(json.dumps({"cells": [claim_cell(source, 2)]})))
    boxes = [output["data"]["text/html"] for output in shown["cells"][0]["outputs"]]
    assert ["How this was checked" in box for box in boxes] == [True, False]


def test_folded_section_becomes_details_with_its_minutes():
    from _ext.notebooks import page_notebook

    def markdown(source: str) -> dict:
        return {"cell_type": "markdown", "metadata": {}, "source": [source]}

    cells = [markdown("### Further: proofs"), markdown("word " * 400), markdown("## B")]
    shown = json.loads(page_notebook(json.dumps({"cells": cells})))["cells"]
    sources = ["".join(cell["source"]) for cell in shown]
    assert sources == [
        "### Further: proofs",
        '<details class="further"><summary>Show this section (2 minutes)</summary>',
        "word " * 400,
        "</details>",
        "## B",
    ]


def figure_cell(data: dict, caption: str, **fact: object) -> dict:
    below = {"data": {"text/markdown": f"*{caption}*"}}
    below["metadata"] = {"genai_tutorial": {"caption": caption}}
    outputs = [{"data": data, "metadata": {"genai_tutorial": fact}}, below]
    cell = {"cell_type": "code", "metadata": {"tags": ["hide-input"]}, "source": []}
    return cell | {"outputs": outputs}


def test_captions_are_joined_with_figures_of_html():
    from _ext.numbered import join_captions

    data = {"text/html": '<div class="genai-frames"></div>', "image/png": "AAAA"}
    cell = figure_cell(data, "Figure 8.2. Less & less.")
    shown = json.loads(join_captions(json.dumps({"cells": [cell]})))
    (output,) = shown["cells"][0]["outputs"]
    figure = BeautifulSoup(output["data"]["text/html"], "html.parser").figure
    assert figure["id"] == "figure-8-2"
    assert figure.figcaption.get_text() == "Figure 8.2. Less & less."


def test_schematics_are_inline_in_a_box_that_scrolls():
    from _ext.numbered import join_captions

    data = {"image/svg+xml": "<svg><title>A U</title></svg>", "image/png": "AAAA"}
    cell = figure_cell(data, "Figure 8.3. A U.", schematic="unet")
    shown = json.loads(join_captions(json.dumps({"cells": [cell]})))
    (output,) = shown["cells"][0]["outputs"]
    assert shown["cells"][0]["metadata"]["tags"] == ["remove-input"]
    assert list(output["data"]) == ["text/html"]
    box = BeautifulSoup(output["data"]["text/html"], "html.parser").figure.div
    assert (box["tabindex"], box["aria-label"]) == ("0", "A U")
    assert box.svg


def test_captions_of_pictures_are_found_by_their_bytes():
    from _ext.numbered import captions_of_pictures

    picture = io.BytesIO()
    Image.new("1", (640, 3)).save(picture, "png")
    content = base64.b64encode(picture.getvalue()).decode()
    cell = figure_cell({"image/png": content}, "Figure 8.1. Noise.")
    found = captions_of_pictures({"cells": [cell, {"cell_type": "markdown"}]})
    assert list(found.values()) == [("Figure 8.1. Noise.", 640)]
    assert all(len(name) == 64 for name in found)
    cell["outputs"][0]["metadata"]["image/png"] = {"width": 320}
    found = captions_of_pictures({"cells": [cell]})
    assert list(found.values()) == [("Figure 8.1. Noise.", 320)]


def test_numbers_in_the_text_become_links(monkeypatch):
    from types import SimpleNamespace

    from _ext import numbered
    from docutils import nodes
    from docutils.utils import new_document

    known = {"figure 8.4": "notebooks/08", "equation 9.1": "notebooks/09"}
    monkeypatch.setattr(numbered, "pages", lambda root: known)
    warnings = []
    monkeypatch.setattr(
        numbered.logger, "warning", lambda text, *more, **_: warnings.append(more)
    )
    document = new_document("page")
    words = "As figure 8.4 shows, Equation 9.1 holds; figure 8.9 does not."
    document += nodes.paragraph("", "", nodes.Text(words))
    builder = SimpleNamespace(get_relative_uri=lambda _, page: f"{page}.html")
    app = SimpleNamespace(srcdir=".", builder=builder)
    numbered.link(app, document, "notebooks/08")
    assert document.astext() == words
    assert [link["refuri"] for link in document.findall(nodes.reference)] == [
        "#figure-8-4",
        "notebooks/09.html#equation-9-1",
    ]
    assert warnings == [("figure 8.9",)]


def test_sphinx_does_not_count_figures_too():
    from types import SimpleNamespace

    from _ext.numbered import without_counting

    config = SimpleNamespace(numfig=True)
    without_counting(None, config)
    assert config.numfig is False


def test_models_of_a_notebook_are_found_in_its_outputs():
    from _ext.notebooks import used_models

    fact = {"genai_tutorial": {"browser_models": {"a": "1", "b": "2"}}}
    cells = [
        {"outputs": [{"metadata": fact}, {"metadata": {"genai_tutorial": {}}}, {}]},
        {"source": "no outputs"},
    ]
    assert used_models({"cells": cells}) == {"a": "1", "b": "2"}


def test_models_are_written_as_scripts_and_another_version_is_refused(tmp_path):
    from _ext.notebooks import write_models
    from sphinx.errors import ExtensionError

    from genai_tutorial.browser import pack_published

    digest = pack_published("shakespeare").digest
    write_models(tmp_path / "models", {"shakespeare": digest})
    names = {path.name for path in (tmp_path / "models").iterdir()}
    assert names == {"engine.js", "shakespeare.js"}
    with pytest.raises(ExtensionError, match="execute the chapter again"):
        write_models(tmp_path / "models", {"shakespeare": "0" * 16})


def test_paths_of_a_course_name_a_needed_section_once(monkeypatch):
    from _ext.chapter_map import paths_table

    import genai_tutorial.notebook.paths as computed
    from genai_tutorial.notebook import chapters

    first = computed.read_section(chapters(ROOT)[1], "The result first")
    monkeypatch.setattr(computed, "needed_sections", lambda path, found: [first])
    paths = {
        "columns": ["week"],
        "rows": [{"week": week, "chapters": [week]} for week in (1, 2)],
    }
    alone, course = (
        paths_table({**paths, "course": course}, ROOT) for course in (False, True)
    )
    assert alone.count("#the-result-first") == 2
    assert course.count("#the-result-first") == 1
    assert "| week | chapters | and from | to read | to run | exercises |" in alone


def test_numbered_equation_of_several_lines_is_not_put_into_split(tmp_path):
    """MathJax allows no number there."""
    from types import SimpleNamespace

    from _ext.numbered import make_figures
    from docutils import nodes
    from docutils.utils import new_document

    page = tmp_path / "06.ipynb"
    page.write_text('{"cells": []}', "utf8")
    env = SimpleNamespace(docname="06", doc2path=lambda name: str(page))
    document = new_document("")
    for text in (r"a = b \tag{6.1}", r"a &= b \\ &= c \tag{6.2}"):
        document += nodes.math_block(text, text, nowrap=False)
    make_figures(SimpleNamespace(env=env), document)
    one, several = document.findall(nodes.math_block)
    assert (one["nowrap"], one.astext()) == (False, r"a = b \tag{6.1}")
    assert several["nowrap"]
    assert several.astext().startswith(r"\begin{equation}a &= b \\")
    assert several["ids"] == ["equation-6-2"]


def test_edition_is_the_tag_or_the_commit(tmp_path):
    from _ext.site import edition

    def git(*words: str) -> str:
        call = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *words]
        return subprocess.run(
            call, cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout.strip()

    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "one", "--date", "2026-12-01T12:00:00")
    commit, date = git("show", "-s", "--format=%h %cs").split()
    draft = f"Draft of edition 1.2.0, {date}, commit {commit}"
    assert edition(tmp_path, "1.2.0.dev0") == draft
    git("tag", "v1.2.0")
    assert edition(tmp_path, "1.2.0") == f"Edition 1.2.0, {date}"
    assert edition(tmp_path / "elsewhere", "1.2.0") == "Edition 1.2.0"


def test_slides_are_linked_beside_the_badge():
    from _ext.lecture import with_link

    badge = "[![Open](x.svg)](https://colab.research.google.com/a.ipynb)"
    link = '<a class="deck" href="../slides/04.html">Slides</a>'
    assert with_link(f"# 4. A\n\n{badge}\n\nText", "04") == (
        f"# 4. A\n\n{badge} {link}\n\nText"
    )


def test_questions_come_before_the_exercises():
    from _ext.lecture import questions_section, with_questions

    from genai_tutorial.teaching.questions import Question

    number = Question(
        "What is $1 + 1$?", 2.0, 0.5, (), {4.0: "*Twice* that."}, "So.", {}
    )
    choice = Question("Which?", "b", 0.0, ("a", "b", "c"), {"c": '"no"'}, "It is.", {})
    section = questions_section([number, choice])
    page = BeautifulSoup(section, "html.parser")
    first, second = (json.loads(q["data-answer"]) for q in page.select(".question"))
    assert first == {"number": 2.0, "within": 0.5, "wrong": {"4.0": "Twice that."}}
    assert second == {"choice": 1, "wrong": {"2": '"no"'}}
    assert [field["value"] for field in page.select("input[type=radio]")] == list("012")
    assert "\n\n**2.** So.\n\n" in section
    assert "\n\n**b.** It is.\n\n" in section
    cells = [
        {"cell_type": "markdown", "source": ["# 4. A"]},
        {"cell_type": "markdown", "source": ["Before.\n\n", "## Exercises\n", "Do."]},
    ]
    made = [cell["source"] for cell in with_questions(cells, section)]
    assert made == [["# 4. A"], [f"Before.\n\n{section}"], ["## Exercises\nDo."]]
    with pytest.raises(ValueError, match="no section '## Exercises'"):
        with_questions(cells[:1], section)
    for path in (ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"):
        assert with_questions(json.loads(path.read_text("utf8"))["cells"], section)


def test_page_for_teachers_begins_with_facts_of_its_chapter():
    from _ext.lecture import at_a_glance

    table = at_a_glance(ROOT, "04")
    page = "/notebooks/04_transformer_language_model.ipynb"
    assert f"| chapter | [4. The Transformer language model]({page}) |" in table
    assert "](/notebooks/00_a_neural_network.ipynb)" in table
    assert "| to read | 45 minutes |" in table
    assert "| exercises | 6, 100 minutes, 20 points |" in table
