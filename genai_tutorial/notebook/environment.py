"""The environment in which notebooks are executed for the book: quiet, reproducible and
without network access.

`genai-tutorial execute` starts its kernels in this environment. As a pytest plug-in
(`pytest -p genai_tutorial.notebook.environment`), the module gives nbval the same one,
so that the committed outputs and the tests come from identical conditions.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

from .chapters import longest_first

QUIET = "GENAI_TUTORIAL_QUIET"
OFFLINE = Path(__file__).parent / "offline"
THREADS = 1
"""The number of threads of each notebook, for readers too, and however many notebooks
run side by side. With another number of threads, sums are computed in another order,
and a training run ends with different digits.
"""


def executed_for_the_book() -> bool:
    """Return whether this process executes a notebook for the book, with no reader
    watching.
    """
    return bool(os.environ.get(QUIET))


def book_environment() -> dict[str, str]:
    """Return the environment variables that make a notebook's output reproducible."""
    paths = [str(OFFLINE), *filter(None, [os.environ.get("PYTHONPATH")])]
    threads = dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(THREADS)
    )
    # For cells that use two threads anyway: a waiting thread spins briefly, then
    # sleeps. By default it spins thirty times as long, which is no faster on idle
    # cores but blocks the other thread on a busy machine, where training almost
    # stops. Sleeping at once (OMP_WAIT_POLICY=PASSIVE) made runs on idle cores up
    # to three times slower.
    waiting = {"GOMP_SPINCOUNT": "10000"}
    return {
        QUIET: "1",
        "TQDM_DISABLE": "1",
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)),
        "PYTHONHASHSEED": "0",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        **threads,
        **waiting,
    }


def pytest_configure(config: Any) -> None:
    """Set the book's environment for pytest and its kernels, without the user's IPython
    profile.
    """
    profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    config.add_cleanup(profile.cleanup)
    os.environ.update(book_environment(), IPYTHONDIR=profile.name)


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """Run the longest notebooks first, so that no process is left with a long one at
    the end. The cells of a notebook stay together and in order.
    """
    places = {
        path: place
        for place, path in enumerate(
            longest_first(list(dict.fromkeys(item.path for item in items)))
        )
    }
    items.sort(key=lambda item: places[item.path])
