"""Run the cells of a notebook in a fresh kernel, and report the cell that fails."""

import os
import tempfile
from pathlib import Path
from typing import Any

from genai_tutorial.runtime import require

from .environment import book_environment


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


def excerpt(source: str, lines: int = 12) -> str:
    """Return the first lines of a cell, indented."""
    shown = source.splitlines()
    more = ["…"] if len(shown) > lines else []
    return "\n".join("    " + line for line in shown[:lines] + more)
