"""Run the code cells of notebooks on the pretend device, with shortened training.

    python tests/device/run_notebooks.py [NOTEBOOK ...]

Without arguments: the notebooks that use the device which `setup()` returns; the
others compute on the CPU, whatever there is. Measured numbers mean nothing after so
little training, so a claim that does not hold is printed and the run goes on. Any
other error ends the run: on a GPU it would be an error too.
"""

import functools
import json
import re
import sys
import time
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
STEPS = 8


def code_cells(notebook: Path) -> list[str]:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def uses_device(notebook: Path) -> bool:
    code = "\n".join(code_cells(notebook))
    return bool(re.search(r"\.to\(device\)|device=device", code))


def prepare() -> None:
    """Make the pretend device the choice of `setup()`, and cut training short."""
    from tests.device import pretend

    device = pretend.register()
    # Each of these faces is imported before the rooms above take the function from it.
    import genai_tutorial.runtime as runtime

    runtime.choose_device = lambda name=None: device
    import genai_tutorial.training as training

    fit = training.fit

    @functools.wraps(fit)
    def short_fit(*args, steps, evaluate_every=None, **kwargs):
        history = fit(
            *args, steps=min(steps, STEPS), evaluate_every=evaluate_every, **kwargs
        )
        # Plots and tables expect as many numbers as steps and evaluations.
        history.losses += history.losses[-1:] * (steps - len(history.losses))
        if history.evaluations:
            last = history.evaluations[-1]
            due = range(evaluate_every or steps, steps + 1, evaluate_every or steps)
            history.evaluations[:] = [replace(last, step=step) for step in due]
        return history

    training.fit = short_fit


def run(notebook: Path) -> None:
    from IPython.core.interactiveshell import InteractiveShell

    from genai_tutorial.notebook.claims import ClaimError

    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    start = time.monotonic()
    for number, code in enumerate(code_cells(notebook), start=1):
        error = shell.run_cell(code).error_in_exec
        if error is not None and not isinstance(error, ClaimError):
            sys.exit(f"{notebook.name}, code cell {number}: {error!r}")
    print(f"{notebook.name}: {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    given = [Path(name) for name in sys.argv[1:]]
    prepare()
    for chosen in given or sorted((ROOT / "notebooks").glob("*.ipynb")):
        if given or uses_device(chosen):
            run(chosen)
