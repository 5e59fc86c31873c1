"""Tests of `execute`. They start kernels, so they share runs where possible."""

import json
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from genai_tutorial.notebook import ExecutionError, execute
from genai_tutorial.notebook.chapters import RunningTime, recorded_times
from genai_tutorial.notebook.execute import executed_text, normalize
from genai_tutorial.notebook.frames import WIDGET_VIEW

EXECUTE = sys.modules["genai_tutorial.notebook.execute"]
EVERYTHING = """from matplotlib import pyplot
from PIL import Image
from genai_tutorial.notebook import Frames, claim, setup, show
device = setup(seed=0)
figure, axes = pyplot.subplots()
axes.scatter(*__import__("torch").rand(2, 30), s=80, alpha=0.5)
show(figure, alt="Thirty dots at random.")
claim("Two and two make four", measured=2 + 2, holds=2 + 2 == 4)"""
SLIDER = (
    'Frames([Image.new("RGB", (9, 9), (i, 0, 0)) for i in (0, 99)], ["a", "b"], "A '
    'square.", "shade")'
)
QUIET = """from tqdm import tqdm
from genai_tutorial.runtime import progress_bar
print(sum(progress_bar(range(3))) + sum(tqdm(range(3))), {1: 2}, {"b", "a", "c"})"""
LOUD = "import ipywidgets\nipywidgets.IntSlider()"


def write(path: Path, *sources: str) -> Path:
    notebook = new_notebook(
        cells=[
            new_markdown_cell("# A title\n\n## A section"),
            *map(new_code_cell, sources),
        ]
    )
    notebook.metadata.update(
        genai_tutorial={"chapter": 9},
        widgets={"x": 1},
        kernelspec={"name": "other", "display_name": "Other"},
    )
    notebook.cells[1].metadata.update(
        tags=["hide-input"], execution={"x": 1}, collapsed=False
    )
    nbformat.write(notebook, path)
    return path


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, list[str], list]:
    """Return what the first and the second run wrote and printed."""
    path = write(
        tmp_path_factory.mktemp("executed") / "09_all.ipynb", EVERYTHING, SLIDER, QUIET
    )
    said: list[str] = []
    results = execute([path], report=said.append)
    first = path.read_text("utf8")
    results += execute([path], report=said.append)
    return first, path.read_text("utf8"), said, results


@pytest.mark.slow
def test_execute_twice_writes_identical_bytes(twice):
    first, second, said, results = twice
    assert first == second
    assert [result.changed for result in results] == [True, False]
    assert results[0].size == len(first.encode())
    assert said[0].startswith("09_all.ipynb: rewritten, 0.0")
    assert said[1].startswith("09_all.ipynb: unchanged, 0.0")


@pytest.mark.slow
def test_execute_stores_exactly_the_displayed_outputs(twice):
    notebook = json.loads(twice[0])
    outputs = [output for cell in notebook["cells"][1:] for output in cell["outputs"]]
    assert [output["output_type"] for output in outputs] == [
        "display_data", "display_data", "execute_result", "stream",
    ]  # fmt: skip
    assert outputs[0]["metadata"]["image/png"]["alt"] == "Thirty dots at random."
    assert "claim" in outputs[1]["metadata"]["genai_tutorial"]
    assert outputs[2]["data"].keys() == {"image/png", "text/html", "text/plain"}
    assert outputs[3]["name"] == "stdout"


@pytest.mark.slow
def test_execute_keeps_only_book_metadata(twice):
    notebook = json.loads(twice[0])
    assert notebook["metadata"].keys() == {
        "genai_tutorial",
        "kernelspec",
        "language_info",
    }
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert notebook["cells"][1]["metadata"] == {"tags": ["hide-input"]}


def test_code_of_claims_is_folded_in_jupyterlab_and_colab():
    notebook = new_notebook(cells=[new_code_cell("claim(...)"), new_code_cell("x = 1")])
    notebook.cells[0].metadata["tags"] = ["claim", "hide-input"]
    normalize(notebook)
    folded, shown = (cell.metadata for cell in notebook.cells)
    assert folded["jupyter"] == {"source_hidden": True}
    assert folded["cellView"] == "form"
    assert shown == {}


def test_headings_of_folded_sections_are_folded_in_jupyterlab():
    cells = map(new_markdown_cell, ("### Further: proofs", "Words.", "## B"))
    notebook = new_notebook(cells=list(cells))
    normalize(notebook)
    metadata = [cell.metadata for cell in notebook.cells]
    assert metadata == [{"jp-MarkdownHeadingCollapsed": True}, {}, {}]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (
            "x = 1\n1 / 0",
            (
                r"09_bad\.ipynb, cell 3 under “A section”: ZeroDivisionError: division "
                r"by zero\n    x = 1\n    1 / 0"
            ),
        ),
        (
            "import socket\nsocket.gethostbyname('pypi.org')",
            r"cell 3 .*OutsideConnection: .* tried to reach pypi\.org",
        ),
        ("import os\nos._exit(1)", r"cell 3 .*process died"),
        (LOUD, r"(?s)live widget.*\n    import ipywidgets"),
    ],
)
def test_execute_names_failing_cell_and_leaves_file_unchanged(
    tmp_path: Path, source: str, reason: str
):
    path = write(tmp_path / "09_bad.ipynb", "print('fine')", source)
    before = path.read_bytes()
    with pytest.raises(ExecutionError, match=reason):
        execute([path])
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.slow
def test_execute_continues_after_failing_notebook(tmp_path: Path):
    """In parallel too: the others are written, and all failures are reported at the
    end.
    """
    bad = write(tmp_path / "08_bad.ipynb", "1 / 0")
    good = write(tmp_path / "09_good.ipynb", "print(6 * 7)")
    worse = write(tmp_path / "10_worse.ipynb", "undefined")
    before = bad.read_bytes(), worse.read_bytes()
    said: list[str] = []
    with pytest.raises(ExecutionError) as failed:
        execute([bad, good, worse], jobs=2, report=said.append)
    assert "08_bad.ipynb, cell 2 under “A section”: ZeroDivisionError" in str(
        failed.value
    )
    assert "10_worse.ipynb, cell 2 under “A section”: NameError" in str(failed.value)
    assert sorted(line.partition(",")[0] for line in said) == [
        "08_bad.ipynb: failed",
        "09_good.ipynb: rewritten",
        "10_worse.ipynb: failed",
    ]
    assert (bad.read_bytes(), worse.read_bytes()) == before
    assert '"42\\n"' in good.read_text("utf8")
    assert recorded_times(tmp_path).keys() == {"09_good"}


def test_execute_rejects_invalid_number_of_jobs():
    with pytest.raises(ValueError, match="at least 1, got 0"):
        execute([], jobs=0)


def test_execute_writes_running_time_into_first_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = write(tmp_path / "09_timed.ipynb", "print()")
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0].source = "# 9. Title\n\n| reading | running |\n| 9 min | 40 s |"
    text = nbformat.writes(notebook)
    monkeypatch.setattr(EXECUTE, "executed_text", lambda *_, **__: text)
    monkeypatch.setattr(EXECUTE, "record_time", lambda *_: RunningTime(75, threads=1))
    execute([path], report=lambda _: None)
    opening = nbformat.read(path, as_version=4).cells[0]
    assert opening.source.endswith("| 9 min | 75 s |")
    before = opening.id
    execute([path], report=lambda _: None)
    assert nbformat.read(path, as_version=4).cells[0].id == before


@pytest.mark.slow
def test_execute_stops_cell_after_timeout(tmp_path: Path):
    path = write(tmp_path / "09_slow.ipynb", "while True: pass")
    with pytest.raises(ExecutionError, match=r"cell 2 .*longer than 2 seconds"):
        executed_text(path, seconds_a_cell=2)


def named(*sources: str) -> dict[str, str]:
    notebook = new_notebook(cells=[new_code_cell(source) for source in sources])
    normalize(notebook)
    return {cell.source: cell.id for cell in notebook.cells}


def test_cell_ids_survive_inserted_cell():
    before, after = named("a", "b"), named("new", "a", "b")
    assert {source: after[source] for source in before} == before


def test_cell_ids_of_identical_cells_differ_and_a_graded_cell_has_its_grade_id():
    graded = new_code_cell("a", metadata={"nbgrader": {"grade_id": "ex-9-1"}})
    cells = [new_code_cell("a"), new_code_cell("a"), new_markdown_cell("a"), graded]
    notebook = new_notebook(cells=cells)
    normalize(notebook)
    assert len({cell.id for cell in notebook.cells}) == 4
    assert notebook.cells[3].id == "ex-9-1"
    assert notebook.cells[3].metadata.nbgrader.grade_id == "ex-9-1"
    nbformat.validate(notebook)


def test_widget_view_next_to_html_is_removed():
    notebook = new_notebook(cells=[new_code_cell("a")])
    data = {WIDGET_VIEW: {"model_id": "1"}, "text/html": "<p>", "text/plain": "p"}
    notebook.cells[0].outputs = [nbformat.v4.new_output("display_data", data)]
    normalize(notebook)
    assert notebook.cells[0].outputs[0].data.keys() == {"text/html", "text/plain"}


def test_execute_warns_about_large_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = write(tmp_path / "09_large.ipynb", "print()")
    large = write(tmp_path / "text.ipynb", "#" * 1_600_000).read_text("utf8")
    monkeypatch.setattr(EXECUTE, "executed_text", lambda *_, **__: large)
    said: list[str] = []
    execute([path], report=said.append)
    assert "larger than 1.5 MB" in said[-1]
