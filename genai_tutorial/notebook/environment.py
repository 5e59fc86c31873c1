"""The surroundings in which a notebook is executed for the book: quiet, repeatable, and
cut from the network.

`genai-tutorial execute` starts its kernels in them. As a pytest plug-in this module
gives the same ones to nbval (`pytest -p genai_tutorial.notebook.environment`), so that
what is committed and what is checked ran alike.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

from genai_tutorial.notebook.running_times import longest_first

QUIET = "GENAI_TUTORIAL_QUIET"
OFFLINE = Path(__file__).parent / "offline"
THREADS = 1
"""Threads of each notebook, for readers too and however many run side by side: with
another number, sums are added in another order, and a training run ends with other
digits.
"""


def executed_for_the_book() -> bool:
    """Say whether this process runs a notebook for the book, and not for a reader who
    watches it.
    """
    return bool(os.environ.get(QUIET))


def book_environment() -> dict[str, str]:
    """Return the environment variables in which a notebook gives the same bytes again.

    >>> book_environment()["HF_HUB_OFFLINE"]
    '1'
    """
    paths = [str(OFFLINE), *filter(None, [os.environ.get("PYTHONPATH")])]
    threads = dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(THREADS)
    )
    # Where a cell takes two threads after all: a thread that waits for the other one
    # spins for a moment, then sleeps. By default it spins thirty times as long: no
    # faster on quiet cores, but on a busy machine it keeps the other one from working,
    # and training all but stops. To sleep at once (OMP_WAIT_POLICY=PASSIVE) made quiet
    # runs up to three times slower.
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
    """Give pytest, and the kernels that it starts, the book's environment, without the
    user's own IPython profile.
    """
    profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    config.add_cleanup(profile.cleanup)
    os.environ.update(book_environment(), IPYTHONDIR=profile.name)


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """Run the notebook first that takes longest, so that no process is left with a long
    one at the end. The cells of a notebook stay together and in order.
    """
    places = {
        path: place
        for place, path in enumerate(
            longest_first(list(dict.fromkeys(item.path for item in items)))
        )
    }
    items.sort(key=lambda item: places[item.path])
