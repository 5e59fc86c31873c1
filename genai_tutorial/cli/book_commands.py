"""The commands about the book: their options and help texts. Their implementations are
imported when a command runs.
"""

from typing import Annotated

import typer

from genai_tutorial.cli.user_errors import NOT_POSSIBLE


def doctor() -> None:
    """Check what is installed and how to install what is missing.

    Checks Python, PyTorch and the device, the extras, the data, the trained models and
    the book's notebooks. Exits with 0 if the core works: an extra that is not installed
    is not an error.

    Example: `genai-tutorial doctor`
    """
    from genai_tutorial.cli.doctor import examine

    if not examine():
        raise typer.Exit(NOT_POSSIBLE)


def chapters() -> None:
    """List the chapters with their rooms, extras, reading and running times.

    Example: `genai-tutorial chapters`
    """
    from genai_tutorial.cli.book import print_chapters

    print_chapters()


def execute(
    notebooks: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NOTEBOOK]...", help="Chapter numbers or files; by default all."
        ),
    ] = None,
    jobs: Annotated[
        int,
        typer.Option(min=1, help="Number of notebooks to run at the same time."),
    ] = 1,
) -> None:
    """Run chapters from top to bottom and save them with their outputs.

    Each notebook runs in a fresh kernel with one thread, on the CPU and without network
    access. A second run writes the same bytes. A notebook that fails is left unchanged
    and does not stop the others. Running times are recorded in `running_times.json`.

    Examples to try:
    - `genai-tutorial execute 4` runs chapter 4
    - `genai-tutorial execute notebooks/04_transformer_language_model.ipynb` does the
      same
    - `genai-tutorial execute --jobs 2` runs all chapters, two at a time, longest first
    """
    from genai_tutorial.cli.book import execute_notebooks

    execute_notebooks(notebooks or [], jobs)
