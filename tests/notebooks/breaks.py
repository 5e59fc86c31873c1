"""Helpers for the tests of the notebook checks.

Each rule is broken once in a sample chapter that otherwise follows all rules, and the
check for that rule must report it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from nbformat import NotebookNode

from genai_tutorial.notebook.execute import normalize
from tests.notebooks import output_checks
from tests.notebooks.sample import NAME, chapter_file, sample_notebook

# `normalize` would repair the faults that these two checks look for.
OF_THE_FILE = (output_checks.written_by_execute, output_checks.no_widget_view)


@dataclass(frozen=True)
class Break:
    """A way to break a rule in the sample notebook, and the message of the check for
    it.
    """

    spoil: Callable[[NotebookNode], None]
    check: Callable
    message: str
    name: str
    seconds: int

    def __str__(self) -> str:
        return self.spoil.__name__.strip("_")

    def assert_reported(self, folder: Path) -> None:
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
    """The breaks for one kind of check; calling it returns a decorator that adds a
    break.
    """

    all: list[Break] = field(default_factory=list)

    def __call__(
        self, check: Callable, message: str, *, name: str = NAME, seconds: int = 20
    ) -> Callable:
        """Register a function that breaks a rule in the sample notebook, which `check`
        must report with `message`.
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
