"""The nbval command of `make notebooks` accepts a good notebook and rejects each bad
cell.
"""

import os
import re
import shlex
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from tests.notebooks.chapter_file import ROOT

pytestmark = pytest.mark.slow

CLAIM = """from genai_tutorial.notebook import claim
claim("Two and two make four", measured=2 + {}, holds=2 + {} == 4)"""
FIGURE = """from matplotlib import pyplot
from genai_tutorial.notebook import setup, show
device = setup(seed=0)
figure, axes = pyplot.subplots()
show(figure, alt="Axes without anything in them.")"""
CONNECT = """import socket
try:
    socket.create_connection(("pypi.org", 443))
except Exception:
    pass  # as a library does that falls back to what it has"""
LOOK_UP = (
    "import socket\ntry:\n    socket.getaddrinfo('pypi.org', 443)\nexcept OSError:\n   "
    " pass"
)
CELLS = {
    "good": [
        ("import sys\nprint(2 + 2)", "4\n"),
        (FIGURE, None),
        (CLAIM.format(2, 2), None),
        (
            "import os\nprint(os.environ['GENAI_TUTORIAL_QUIET'], "
            "os.environ['TQDM_DISABLE'])",
            "1 1\n",
        ),
        ("print(object())", "<object object at 0x7f0123456789>\n"),
        ("import socket\nserver = socket.create_server(('127.0.0.1', 0))", None),
        ("socket.create_connection(server.getsockname()).close()", None),
    ],
    "bad": [
        (CONNECT, None),
        (LOOK_UP, None),
        ("print(2 + 2)", "5\n"),
        (CLAIM.format(3, 3), None),
        ("import genai_tutorial\ngenai_tutorial.no_such_thing", None),
    ],
}


def nbval_command() -> list[str]:
    """Return the command that the Makefile runs, with this Python."""
    command = re.search(
        r"^NBVAL := ((?:.*\\\n)*.*)$",
        (ROOT / "Makefile").read_text("utf8"),
        re.MULTILINE,
    )[1]
    return shlex.split(
        command.replace("\\\n", " ")
        .replace("$(BIN)/python", sys.executable)
        .replace("$(JOBS)", "2")
    )


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str | None]]:
    """Return for each notebook the fault of each of its cells, or None."""
    folder = tmp_path_factory.mktemp("nbval")
    for name, cells in CELLS.items():
        notebook = new_notebook()
        for count, (source, expected) in enumerate(cells, start=1):
            checked = {} if expected is None else {"tags": ["nbval-check-output"]}
            outputs = (
                []
                if expected is None
                else [new_output("stream", name="stdout", text=expected)]
            )
            notebook.cells.append(
                new_code_cell(
                    source, metadata=checked, outputs=outputs, execution_count=count
                )
            )
        nbformat.write(notebook, folder / f"{name}.ipynb")
    quiet = ["GENAI_TUTORIAL_QUIET", "TQDM_DISABLE", "PYTHONPATH"]
    environment = {
        name: value for name, value in os.environ.items() if name not in quiet
    }
    report = folder / "report.xml"
    rooted = [
        "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT),
        f"--junitxml={report}",
    ]  # fmt: skip
    run = subprocess.run(
        [*nbval_command(), *rooted, str(folder)], cwd=ROOT, env=environment,
        capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert report.is_file(), run.stdout + run.stderr
    found: dict[str, list[str | None]] = {name: [] for name in CELLS}
    for case in ElementTree.parse(report).iter("testcase"):
        wrong = [part for part in case if part.tag in ("failure", "error")]
        name = case.get("classname").removesuffix(".ipynb").rpartition(".")[2]
        found[name].append(
            "\n".join(f"{part.get('message')} {part.text}" for part in wrong) or None
        )
    return found


def test_nbval_accepts_a_good_notebook(outcomes: dict):
    assert outcomes["good"] == [None] * len(CELLS["good"])


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (0, "tried to reach pypi.org"),
        (1, "tried to reach pypi.org"),
        (2, "outputs differ"),
        (3, "this did not hold: Two and two make four. Measured: 5."),
        (4, "no_such_thing"),
    ],
)
def test_nbval_rejects_each_bad_cell(outcomes: dict, cell: int, reason: str):
    assert len(outcomes["bad"]) == len(CELLS["bad"])
    assert reason in outcomes["bad"][cell]
