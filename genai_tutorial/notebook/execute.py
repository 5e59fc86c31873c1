"""Run the notebooks of the book and write them so that a second run gives the same
bytes.
"""

import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genai_tutorial.notebook.environment import book_environment
from genai_tutorial.notebook.frames import WIDGET_VIEW
from genai_tutorial.runtime import require, write_atomically

SECONDS_A_CELL = 600
LARGEST_FILE = 1_500_000  # bytes

# What stays of a notebook's own metadata. Editors add more, and another with each
# version.
KEPT_IN_NOTEBOOK = ("genai_tutorial",)
KEPT_IN_CELL = ("mystnb", "nbgrader", "tags")


class ExecutionError(Exception):
    """A notebook did not run to its end; the message says in which cell, and why."""


@dataclass(frozen=True)
class Executed:
    """What came of executing one notebook.

    Attributes:
        path: of the notebook.
        seconds: that it ran.
        size: of the file, in bytes.
        changed: whether the file was rewritten; False if it was the same already.
    """

    path: Path
    seconds: float
    size: int
    changed: bool


def execute(
    paths: Iterable[Path],
    *,
    report: Callable[[str], None] = print,
    seconds_a_cell: int = SECONDS_A_CELL,
) -> list[Executed]:
    """Run notebooks one after another, each in a fresh kernel without network, and
    rewrite them with their outputs.

    Args:
        paths: of the notebooks.
        report: takes a line of text for each notebook when it is done.
        seconds_a_cell: that a cell may run.

    Raises:
        ExecutionError: If a cell fails or the file is no notebook. The file is left as
            it was.
        ImportError: If nbclient is not installed.
    """
    done = []
    for path in map(Path, paths):
        started = time.perf_counter()
        text = executed_text(path, seconds_a_cell=seconds_a_cell)
        changed = text != path.read_text("utf8")
        if changed:
            with write_atomically(path, "w") as file:
                file.write(text)
        result = Executed(
            path, time.perf_counter() - started, len(text.encode()), changed
        )
        done.append(result)
        what = "rewritten" if changed else "unchanged"
        report(
            f"{path.name}: {what}, {result.size / 1e6:.2f} MB, ran "
            f"{result.seconds:.1f} s"
        )
        if result.size > LARGEST_FILE:
            report(
                f"{path.name} is larger than {LARGEST_FILE / 1e6} MB: draw fewer "
                "frames, or smaller ones."
            )
    return done


def executed_text(path: Path, *, seconds_a_cell: int = SECONDS_A_CELL) -> str:
    """Run a notebook and return what its file should hold, without writing it."""
    nbformat = require("nbformat", "book")
    try:
        notebook = nbformat.read(path, as_version=4)
    except Exception as error:  # a file that is no notebook can be wrong in any way
        raise ExecutionError(
            f"{path.name} cannot be read as a notebook ({type(error).__name__})."
        ) from error
    _run(notebook, path, seconds_a_cell)
    normalise(notebook)
    nbformat.validate(notebook)
    return nbformat.writes(notebook).rstrip("\n") + "\n"


def normalise(notebook: Any) -> None:
    """Take out of an executed notebook, in place, all that another run would write
    differently.

    Raises:
        ExecutionError: If an output is a live widget and nothing else: no page can show
            it.
    """
    for name in set(notebook.metadata) - set(KEPT_IN_NOTEBOOK):
        del notebook.metadata[name]
    notebook.metadata["kernelspec"] = {
        "display_name": "Python 3",
        "language": "python",
        "name": "python3",
    }
    notebook.metadata["language_info"] = {"name": "python"}
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    taken: dict[str, int] = {}
    for cell in notebook.cells:
        for name in set(cell.metadata) - set(KEPT_IN_CELL):
            del cell.metadata[name]
        cell.id = _cell_id(cell, taken)
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if data.pop(WIDGET_VIEW, None) and not data.keys() - {"text/plain"}:
                raise ExecutionError(
                    "A cell shows a live widget, which no page can show; use Frames "
                    f"instead:\n{_excerpt(cell.source)}"
                )


def _cell_id(cell: Any, taken: dict[str, int]) -> str:
    # From the cell's own text: it stays when another cell is inserted before it, and
    # when the notebook is made anew.
    grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
    name = (
        grade_id
        or f"{cell.cell_type}-{hashlib.sha256(cell.source.encode()).hexdigest()[:8]}"
    )
    taken[name] = taken.get(name, 0) + 1
    return name if taken[name] == 1 else f"{name}-{taken[name]}"


def _run(notebook: Any, path: Path, seconds_a_cell: int) -> None:
    nbclient = require("nbclient", "book")
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from nbclient.exceptions import (
        CellExecutionError,
        CellTimeoutError,
        DeadKernelError,
    )

    # Without folders to search, "python3" is this very Python, whatever kernels the
    # user has installed.
    kernel = AsyncKernelManager(
        kernel_name="python3", kernel_spec_manager=KernelSpecManager(kernel_dirs=[])
    )
    running = [0]
    client = nbclient.NotebookClient(
        notebook,
        km=kernel,
        timeout=seconds_a_cell,
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(path.parent)}},
        on_cell_start=lambda cell, cell_index: running.append(cell_index),
    )
    with (
        tempfile.TemporaryDirectory() as profile
    ):  # without the history and start-up files of whoever runs this
        environment = {
            **os.environ,
            **book_environment(),
            "IPYTHONDIR": profile,
            "CUDA_VISIBLE_DEVICES": "",
        }
        try:
            client.execute(env=environment, cleanup_kc=True)
        except CellExecutionError as error:
            reason = f"{error.ename}: {error.evalue}" if error.evalue else error.ename
            raise ExecutionError(
                _message(path, notebook, running[-1], reason)
            ) from error
        except CellTimeoutError as error:
            reason = f"it ran longer than {seconds_a_cell} seconds"
            raise ExecutionError(
                _message(path, notebook, running[-1], reason)
            ) from error
        except DeadKernelError as error:
            reason = "its Python process died, perhaps for want of memory"
            raise ExecutionError(
                _message(path, notebook, running[-1], reason)
            ) from error


def _message(path: Path, notebook: Any, index: int, reason: str) -> str:
    headings = [
        line.lstrip("# ")
        for cell in notebook.cells[:index]
        if cell.cell_type == "markdown"
        for line in cell.source.splitlines()
        if line.startswith("#")
    ]
    section = f" under “{headings[-1]}”" if headings else ""
    source = _excerpt(notebook.cells[index].source)
    return f"{path.name}, cell {index + 1}{section}: {reason}\n{source}"


def _excerpt(source: str, lines: int = 12) -> str:
    shown = source.splitlines()
    more = ["…"] if len(shown) > lines else []
    return "\n".join("    " + line for line in shown[:lines] + more)
