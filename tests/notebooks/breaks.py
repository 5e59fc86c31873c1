"""Each rule is broken once in a chapter that keeps to all of them, and the check for it
must notice: what the tests of the four kinds of checks share.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from nbformat import NotebookNode

from genai_tutorial.notebook.execute import normalize
from tests.notebooks import output_checks
from tests.notebooks.sample import NAME, chapter_file, sample_notebook

# What these two look for, `normalize` would mend.
OF_THE_FILE = (output_checks.written_by_execute, output_checks.no_widget_view)


@dataclass(frozen=True)
class Break:
    """One way to spoil the sample notebook, and what the check for it must say."""

    spoil: Callable[[NotebookNode], None]
    check: Callable
    message: str
    name: str
    seconds: int

    def __str__(self) -> str:
        return self.spoil.__name__.strip("_")

    def assert_noticed(self, folder: Path) -> None:
        notebook = sample_notebook()
        self.spoil(notebook)
        if self.check not in OF_THE_FILE:
            normalize(notebook)
        chapter = chapter_file(notebook, folder, name=self.name, seconds=self.seconds)
        problems = self.check(chapter)
        if isinstance(problems, dict):
            problems = [f"{key}: {fault}" for key, fault in problems.items()]
        assert len(problems) >= 1
        assert any(re.search(re.escape(self.message), one) for one in problems), (
            problems
        )


@dataclass(frozen=True)
class Breaks:
    """The breaks of one kind of checks; a decorator that takes in another."""

    all: list[Break] = field(default_factory=list)

    def __call__(
        self, check: Callable, message: str, *, name: str = NAME, seconds: int = 20
    ) -> Callable:
        """Register a function that spoils the sample notebook in one way, which `check`
        must name with `message`.
        """

        def register(spoil: Callable) -> Callable:
            self.all.append(Break(spoil, check, message, name, seconds))
            return spoil

        return register

    @property
    def checks(self) -> set[Callable]:
        return {one.check for one in self.all}


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
