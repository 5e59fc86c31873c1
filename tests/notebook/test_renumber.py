"""Figures and equations are numbered anew after one was inserted."""

import json
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from genai_tutorial.notebook.captions import numbers
from genai_tutorial.notebook.execute import normalize, notebook_text
from genai_tutorial.notebook.renumber import renumber


def figure(caption: str):
    """Return a cell that has shown a figure."""
    cell = new_code_cell(f'show(plot, alt="...", caption="{caption}")')
    cell.outputs = [
        new_output("display_data", {"image/png": "Figure 8.1. x"}),
        new_output(
            "display_data",
            {"text/markdown": f"*{caption}*", "text/plain": caption},
            metadata={"genai_tutorial": {"caption": caption}},
        ),
    ]
    return cell


def write(folder: Path, *cells, name: str = "08_x.ipynb") -> Path:
    notebook = new_notebook(cells=list(cells))
    normalize(notebook)
    path = folder / name
    path.write_text(notebook_text(notebook), "utf8")
    return path


def in_normal_form(path: Path) -> bool:
    notebook = nbformat.read(path, as_version=4)
    normalize(notebook)
    return notebook_text(notebook) == path.read_text("utf8")


def test_inserted_figure_and_equation_shift_the_others(tmp_path):
    path = write(
        tmp_path,
        figure("Figure 8.1. One."),
        new_markdown_cell("See figure 8.2, equation 8.1. $$x \\tag{8.99}$$"),
        figure("Figure 8.50. The new one."),
        new_markdown_cell("Figures 8.1, 8.2 and 8.50; $$y \\tag{8.1}$$ figure 8a.2"),
        figure("Figure 8.2. Two."),
    )
    other = tmp_path / "page.md"
    other.write_text("Chapter 8, figure 8.2, and equations 8.1 and 9.1.")
    more = write(tmp_path, new_markdown_cell("figure 8.2"), name="09_y.ipynb")
    untouched = write(tmp_path, new_markdown_cell("figure 7.2"), name="07_y.ipynb")
    before = untouched.read_bytes()
    assert renumber(path, [path, other, more, untouched]) == {
        "figure 8.50": "figure 8.2",
        "figure 8.2": "figure 8.3",
        "equation 8.99": "equation 8.1",
        "equation 8.1": "equation 8.2",
    }
    notebook = json.loads(path.read_text("utf8"))
    assert numbers(notebook) == [
        "figure 8.1", "figure 8.2", "figure 8.3", "equation 8.1", "equation 8.2",
    ]  # fmt: skip
    first, second = (
        "".join(cell["source"])
        for cell in notebook["cells"]
        if cell["cell_type"] == "markdown"
    )
    assert first == "See figure 8.3, equation 8.2. $$x \\tag{8.1}$$"
    assert second == "Figures 8.1, 8.3 and 8.2; $$y \\tag{8.2}$$ figure 8a.2"
    assert 'caption="Figure 8.3. Two."' in "".join(notebook["cells"][4]["source"])
    assert other.read_text() == "Chapter 8, figure 8.3, and equations 8.2 and 9.1."
    assert in_normal_form(more)
    assert "figure 8.3" in more.read_text()
    assert untouched.read_bytes() == before
    assert notebook["cells"][0]["outputs"][0]["data"]["image/png"] == "Figure 8.1. x"


def test_numbers_in_order_change_no_byte(tmp_path):
    path = write(tmp_path, figure("Figure 8a.1. One."), name="08a_x.ipynb")
    before = path.read_bytes()
    assert renumber(path) == {}
    assert path.read_bytes() == before


def test_renumbered_notebook_has_the_form_that_execute_writes(tmp_path):
    path = write(tmp_path, figure("Figure 8.7. É."), new_markdown_cell("figure 8.7"))
    renumber(path)
    assert in_normal_form(path)


def test_number_that_occurs_twice_is_an_error(tmp_path):
    path = write(tmp_path, figure("Figure 8.1. One."), figure("Figure 8.1. Two."))
    with pytest.raises(ValueError, match=r"two figures 8\.1"):
        renumber(path)


@pytest.mark.parametrize("content", ["", "{}", "[1]"])
def test_damaged_notebook_is_an_error(tmp_path, content):
    path = tmp_path / "08_x.ipynb"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"08_x\.ipynb cannot be read as a notebook"):
        renumber(path)
