"""A small chapter for the tests of grading."""

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from genai_tutorial.teaching.exercises import release

_DOUBLE = '''def double(x):
    """Return twice x."""
    ### BEGIN SOLUTION
    return SCALE * x
    ### END SOLUTION'''
_DOUBLE_TESTS = """assert double(2) == 4, "double(2) should be 4"
### BEGIN HIDDEN TESTS
for secret_number in (7, -3, 0.5):
    assert double(secret_number) == secret_number + secret_number, "a number is doubled wrongly"
### END HIDDEN TESTS"""  # noqa: E501
_SOFTMAX = '''import torch


def softmax(scores):
    """Return probabilities along the last dimension."""
    ### BEGIN SOLUTION
    weights = torch.exp(scores - scores.amax(dim=-1, keepdim=True))
    return weights / weights.sum(dim=-1, keepdim=True)
    ### END SOLUTION'''
_SOFTMAX_TESTS = """scores = torch.tensor([[0.0, 1.0, 2.0]])
assert torch.allclose(softmax(scores).sum(-1), torch.ones(1)), "each row should sum to 1"
### BEGIN HIDDEN TESTS
torch.testing.assert_close(softmax(scores * 500), torch.softmax(scores * 500, dim=-1))
### END HIDDEN TESTS"""  # noqa: E501
_COUNT = '''def count_vowels(text):
    """Return how many vowels a text has."""
    ### BEGIN SOLUTION
    return sum(letter in "aeiou" for letter in text.lower())
    ### END SOLUTION'''
_COUNT_TESTS = """texts = {"tree": 2, "OAK": 2, "": 0, "rhythm": 0}
right = sum(count_vowels(text) == number for text, number in texts.items())
right / 2"""
_ANSWER = """<details><summary>Show a possible answer</summary>

Because the model answer says so.

</details>"""


def _marks(
    grade_id: str, *, grade: bool, solution: bool, points: int | None = None
) -> dict:
    marks = {
        "grade": grade,
        "grade_id": grade_id,
        "locked": grade and not solution,
        "schema_version": 3,
    }
    marks |= {"solution": solution, "task": False}
    return marks if points is None else marks | {"points": points}


def exercise(number: int, title: str, solution: str, tests: str, points: int) -> list:
    fold = {"tags": ["hide-input"], "mystnb": {"code_prompt_show": "Show the solution"}}
    return [
        new_markdown_cell(
            f"### Exercise 99.{number} · {title} (5 minutes, {points} points)\n\nWrite "
            "it."
        ),
        new_code_cell(
            solution,
            metadata={
                "nbgrader": _marks(f"ex-{number}", grade=False, solution=True),
                **fold,
            },
        ),
        new_code_cell(
            tests,
            metadata={
                "nbgrader": _marks(
                    f"ex-{number}-tests", grade=True, solution=False, points=points
                )
            },
        ),
    ]


def small_chapter() -> nbformat.NotebookNode:
    """Return a chapter with three graded exercises, an open one, and a training run
    that the grader should not execute.
    """
    badge = "[![Open in Colab](../book/images/colab.svg)](https://colab.research.google.com/github/x/y.ipynb)"
    training = new_code_cell(
        "raise RuntimeError('the grader must not run this')", execution_count=3
    )
    training.outputs = [new_output("stream", name="stdout", text="a loss of 1.23")]
    answer_marks = _marks("ex-4", grade=True, solution=True, points=2)
    cells = [
        new_markdown_cell(
            f"# 99. A small chapter\n\n{badge}\n\nSee the "
            "[glossary](../book/glossary.md)."
        ),
        new_code_cell("device = setup(seed=0)", metadata={"tags": ["hide-input"]}),
        new_code_cell("SCALE = 2", metadata={"tags": ["exercise-setup"]}),
        training,
        new_markdown_cell("## Exercises"),
        *exercise(1, "Double", _DOUBLE, _DOUBLE_TESTS, 2),
        *exercise(2, "Softmax", _SOFTMAX, _SOFTMAX_TESTS, 3),
        *exercise(3, "Vowels", _COUNT, _COUNT_TESTS, 2),
        new_markdown_cell(
            "### Exercise 99.4 · Why (10 minutes, 2 points)\n\nWhy does it work?"
        ),
        new_markdown_cell(_ANSWER, metadata={"nbgrader": answer_marks}),
        new_markdown_cell("## Summary\n\nDone."),
    ]
    for index, cell in enumerate(cells):
        cell.id = f"cell-{index}"
    notebook = new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {
        "display_name": "Python 3",
        "language": "python",
        "name": "python3",
    }
    return notebook


def cell_of(notebook: nbformat.NotebookNode, grade_id: str) -> nbformat.NotebookNode:
    return next(
        cell
        for cell in notebook.cells
        if cell.metadata.get("nbgrader", {}).get("grade_id") == grade_id
    )


def answered(**sources: str) -> nbformat.NotebookNode:
    """Return the small chapter's release with some cells answered, as in `ex_1="def
    double(x): ..."`.
    """
    notebook = release(small_chapter())
    for name, source in sources.items():
        cell_of(notebook, name.replace("_", "-")).source = source
    return notebook
