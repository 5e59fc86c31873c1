"""Run notebooks in fresh kernels and rewrite them with their outputs; a cell that fails
is reported.
"""

import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from genai_tutorial.runtime import require, write_atomically

from .chapters import RunningTime, longest_first, record_time, with_time
from .environment import THREADS, book_environment
from .frames import WIDGET_VIEW
from .reading import folded_sections, reading_minutes, with_minutes


class ExecutionError(Exception):
    """Raised when a notebook fails; the message names the cell and the reason."""


def run_cells(notebook: Any, path: Path, seconds_a_cell: int) -> None:
    """Run the cells of a notebook in place, from the top, in a fresh kernel."""
    nbclient = require("nbclient", "book")
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from nbclient.exceptions import (
        CellExecutionError,
        CellTimeoutError,
        DeadKernelError,
    )

    # Without folders to search, "python3" is the Python of this process, whatever
    # kernels the user has installed.
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
    # without the user's history and start-up files
    with tempfile.TemporaryDirectory() as profile:
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
    source = excerpt(notebook.cells[index].source)
    return f"{path.name}, cell {index + 1}{section}: {reason}\n{source}"


def excerpt(source: str) -> str:
    """Return the first twelve lines of a cell, indented."""
    shown = source.splitlines()
    more = ["…"] if len(shown) > 12 else []
    return "\n".join("    " + line for line in shown[:12] + more)


SECONDS_A_CELL = 600
LARGEST_FILE = 1_500_000  # bytes

# The notebook metadata to keep. Editors add more, which changes with their version.
KEPT_IN_NOTEBOOK = ("genai_tutorial",)
KEPT_IN_CELL = ("mystnb", "nbgrader", "tags")

# What folds the code of a claim: JupyterLab reads the first, Colab the second.
FOLDED = {"jupyter": {"source_hidden": True}, "cellView": "form"}
# What folds a section in JupyterLab, on the cell of its heading.
FOLDED_SECTION = {"jp-MarkdownHeadingCollapsed": True}


@dataclass(frozen=True)
class Executed:
    """The result of executing one notebook.

    Attributes:
        seconds: Running time.
        size: Size of the file in bytes.
        changed: True if the file was rewritten; False if it was already up to date.
    """

    path: Path
    seconds: float
    size: int
    changed: bool


def execute(
    paths: Iterable[Path],
    *,
    jobs: int = 1,
    report: Callable[[str], None] = print,
) -> list[Executed]:
    """Run notebooks, each in a fresh kernel without network access and with one thread,
    and rewrite them with their outputs.

    A notebook that fails is left unchanged and does not stop the others. Running times
    are recorded in a file next to the notebooks; they and the reading time of
    `reading_minutes` are written into the table of each notebook's first cell.

    Args:
        jobs: Number of notebooks that run at the same time, the longest first. With 1,
            they run one after another in the given order.
        report: Called with a line of text when a notebook is done.

    Raises:
        ExecutionError: If a cell failed or a file is not a notebook. It is raised after
            all notebooks have run, and the message lists every failure.
        ImportError: If nbclient is not installed.
    """
    if jobs < 1:
        raise ValueError(f"jobs must be at least 1, got {jobs}.")
    notebooks = list(map(Path, paths))
    done, failures = [], []
    for path, outcome in _outcomes(notebooks, jobs):
        if isinstance(outcome, ExecutionError):
            failures.append(outcome)
            if len(notebooks) > 1:  # the reason is reported after the others have run
                report(f"{path.name}: failed, and left as it was")
            continue
        result = _keep(path, *outcome)
        done.append(result)
        what = "rewritten" if result.changed else "unchanged"
        report(
            f"{path.name}: {what}, {result.size / 1e6:.2f} MB, ran "
            f"{result.seconds:.1f} s"
        )
        if result.size > LARGEST_FILE:
            report(
                f"{path.name} is larger than {LARGEST_FILE / 1e6} MB: draw fewer "
                "frames, or smaller ones."
            )
    if failures:
        raise ExecutionError("\n\n".join(map(str, failures))) from failures[0]
    return done


Outcome = tuple[str, float] | ExecutionError
"""The text of an executed notebook and the seconds that it ran, or why it failed."""


def _outcomes(paths: list[Path], jobs: int) -> Iterator[tuple[Path, Outcome]]:
    if jobs == 1 or len(paths) < 2:
        for path in paths:
            yield path, _outcome(path)
        return
    # Processes instead of threads, because each notebook client has its own event loop
    # and signal handlers. They are spawned, not forked, because a forked process with
    # PyTorch's threads may hang.
    workers = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"))
    try:
        queue = longest_first(paths)
        running = {workers.submit(_outcome, path): path for path in queue}
        for future in as_completed(running):
            yield running[future], future.result()
    finally:
        workers.shutdown(cancel_futures=True)


def _outcome(path: Path) -> Outcome:
    started = time.perf_counter()
    try:
        text = executed_text(path)
    except ExecutionError as error:
        return error
    return text, time.perf_counter() - started


def _keep(path: Path, text: str, seconds: float) -> Executed:
    text = _with_times(text, record_time(path, seconds, THREADS))
    changed = text != path.read_text("utf8")
    if changed:
        with write_atomically(path, "w") as file:
            file.write(text)
    return Executed(path, seconds, len(text.encode()), changed)


def _with_times(text: str, time: RunningTime) -> str:
    nbformat = require("nbformat", "book")
    notebook = nbformat.reads(text, as_version=4)
    opening = notebook.cells[0]
    opening.source = with_time(opening.source, time)
    if facts := notebook.metadata.get("genai_tutorial"):
        facts["reading_minutes"] = reading_minutes(notebook)
        opening.source = with_minutes(opening.source, facts["reading_minutes"])
    normalize(notebook)  # names the cell by its new text
    return notebook_text(notebook)


def executed_text(path: Path, *, seconds_a_cell: int = SECONDS_A_CELL) -> str:
    """Run a notebook and return the new text of its file, without writing it."""
    nbformat = require("nbformat", "book")
    try:
        notebook = nbformat.read(path, as_version=4)
    except Exception as error:  # a file that is not a notebook can fail in any way
        raise ExecutionError(
            f"{path.name} cannot be read as a notebook ({type(error).__name__})."
        ) from error
    run_cells(notebook, path, seconds_a_cell)
    normalize(notebook)
    nbformat.validate(notebook)
    return notebook_text(notebook)


def notebook_text(notebook: Any) -> str:
    """Return a notebook as the text of its file."""
    return require("nbformat", "book").writes(notebook).rstrip("\n") + "\n"


def normalize(notebook: Any) -> None:
    """Remove from an executed notebook, in place, everything that would differ in
    another run.
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
        if "claim" in cell.metadata.get("tags", ()):
            cell.metadata.update(FOLDED)
        cell.id = _cell_id(cell, taken)
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if data.pop(WIDGET_VIEW, None) and not data.keys() - {"text/plain"}:
                raise ExecutionError(
                    "A cell shows a live widget, which no page can show; use Frames "
                    f"instead:\n{excerpt(cell.source)}"
                )
    for section in folded_sections(notebook.cells):
        notebook.cells[section[0]].metadata.update(FOLDED_SECTION)


def _cell_id(cell: Any, taken: dict[str, int]) -> str:
    # Derived from the cell's text: the id survives when a cell is inserted before it or
    # when the notebook is regenerated.
    grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
    name = (
        grade_id
        or f"{cell.cell_type}-{hashlib.sha256(cell.source.encode()).hexdigest()[:8]}"
    )
    taken[name] = taken.get(name, 0) + 1
    return name if taken[name] == 1 else f"{name}-{taken[name]}"
