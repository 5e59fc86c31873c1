"""The program `genai-tutorial`: how it reports errors, and the commands for the book,
for classes and for the server. Their implementations are imported when a command runs.
"""

import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from genai_tutorial import __version__

from .course_paths import check_grades, check_paths
from .model_commands import agent, ask, chat, models, sample, suggestion, train
from .user_errors import NOT_POSSIBLE, WRONG_USE, UserError, user_errors

# The base class of all command-line errors, both in versions of typer that bundle click
# and in those that depend on it.
UsageError = typer.BadParameter.__base__

app = typer.Typer(
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    # a traceback is for this program's developers, and plain Python's is enough
    pretty_exceptions_enable=False,
)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with 0 on success, 2 on wrong usage and 1 if the
    command failed.
    """
    arguments = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    message = ""
    try:
        code = app(arguments, prog_name="genai-tutorial", standalone_mode=False)
    except UserError as error:
        message, code = str(error), error.exit_code
    except UsageError as error:
        message, code = _usage_message(error), WRONG_USE
    # a package that is not installed, a full disk, a folder without permission
    except (ImportError, OSError) as error:
        message, code = str(error), NOT_POSSIBLE
        if isinstance(error, OSError) and error.filename is not None:
            message = f"{error.filename}: {error.strerror}"
    except typer.Abort:  # Ctrl-C; newer versions of typer return 130 by themselves
        code = 130
    if message:
        print(f"genai-tutorial: {message}", file=sys.stderr)
    sys.exit(code if isinstance(code, int) else 0)


def _usage_message(error: UsageError) -> str:
    """Return what is wrong with a command line in one line, with the nearest word or an
    example where there is one.
    """
    message = " ".join(error.format_message().split()).removesuffix(".")
    message = message.replace("Value error, ", "")
    if wrong := re.search(r"'(.*)' is not one of (.*)", message):
        message += suggestion(wrong[1], re.findall(r"'(.*?)'", wrong[2]))
    command = error.ctx.command_path if error.ctx else "genai-tutorial"
    told = (error.ctx.command.help if error.ctx else None) or ""
    examples = re.findall(rf"`({command} .*?)`", told, re.DOTALL)
    if message.startswith("Missing") and examples:
        message += f", as in {' '.join(examples[0].split())}"
    end = "" if message.endswith("?") else "."
    return f"{message}{end} See {command} --help."


def _print_version(wanted: bool) -> bool:
    if wanted:
        print(__version__)
        raise typer.Exit
    return wanted


@app.callback()
def _start(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Use **Generative AI Explained, in Running Code** from the command line.

    Begin with `genai-tutorial doctor`, which checks what works on this machine and how
    to install the rest. `--help` after a command shows examples.
    """


def doctor() -> None:
    """Check what is installed and how to install what is missing.

    Exits with 0 if the core works: an extra that is not installed is not an error.

    Example: `genai-tutorial doctor`
    """
    from .doctor import examine

    if not examine():
        raise typer.Exit(NOT_POSSIBLE)


def chapters() -> None:
    """List the chapters with their rooms, extras, reading and running times.

    Example: `genai-tutorial chapters`
    """
    from .book import print_chapters

    print_chapters()


def execute(
    notebooks: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NOTEBOOK]...", help="Chapter numbers or files; by default all."
        ),
    ] = None,
    jobs: Annotated[
        int, typer.Option(min=1, help="Number of notebooks to run at the same time.")
    ] = 1,
) -> None:
    """Run chapters from top to bottom and save them with their outputs.

    Each notebook runs in a fresh kernel with one thread, on the CPU and without network
    access. A second run writes the same bytes. A notebook that fails is left unchanged
    and does not stop the others. Running times are recorded in `running_times.json`.

    Examples to try:
    - `genai-tutorial execute 4` runs chapter 4
    - `genai-tutorial execute --jobs 2` runs all chapters, two at a time, longest first
    """
    from .book import execute_notebooks

    execute_notebooks(notebooks or [], jobs)


def renumber(
    notebook: Annotated[
        str, typer.Argument(metavar="NOTEBOOK", help="Chapter number or file.")
    ],
) -> None:
    """Put the numbers of a chapter's figures and equations in order.

    Give a new figure any number that is free, such as 8.99, and run this. It changes
    captions, equations, and what refers to them in all notebooks and pages of the book.

    Example to try: `genai-tutorial renumber 8`
    """
    from .book import renumber_notebook

    renumber_notebook(notebook)


SERVED = ["smollm2", "factbook-sft", "factbook-ppo", "factbook-base", "shakespeare"]
ServedName = StrEnum("ServedName", SERVED)


def serve(
    model: Annotated[
        list[ServedName] | None,
        typer.Option(help="May be repeated; by default all that are installed."),
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 for a free one.")
    ] = 8000,
    queue: Annotated[
        int,
        typer.Option(min=0, help="How many answers may wait; then clients get 429."),
    ] = 64,
) -> None:
    """Serve the book's language models to programs, with the protocol of OpenAI's API.

    Set a client's base URL to the address that is printed, and any key. There are
    `/v1/chat/completions` for smollm2, factbook-sft and factbook-ppo, `/v1/completions`
    for all models, `/v1/embeddings` for minilm, `/v1/models` and `/health`, for
    programs of this machine only. A chat's `response_format` may be a JSON schema. Only
    smollm2 heeds a system message.

    Requests run side by side in the batching engine of chapter 24. Each gets the answer
    that it would get alone, up to near ties between tokens, which rounding decides.

    Examples to try:
    - `genai-tutorial serve`
    - `genai-tutorial serve --model shakespeare --model factbook-sft --port 9000`
    - `curl http://127.0.0.1:8000/v1/models`
    """
    from genai_tutorial.runtime import require

    for package in ("pydantic", "starlette", "uvicorn"):
        require(package, extra="serve")
    from .server.app import available_models, serve

    names = [name.value for name in dict.fromkeys(model or [])]
    serve(names or available_models(SERVED), port, queue)


ChapterName = Annotated[
    str, typer.Argument(help="The chapter's number, or its notebook with solutions.")
]
Folder = Annotated[
    Path,
    typer.Option("--to", help="The folder to write to; it is created if necessary."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")]
Seed = Annotated[
    int | None,
    typer.Option(help="Choose other versions of two exercises, for the whole class."),
]
Roster = Annotated[
    Path | None,
    typer.Option(help="A table whose column 'student' lists who has own versions."),
]


def assign(
    chapter: ChapterName,
    to: Folder,
    seed: Seed = None,
    roster: Roster = None,
    overwrite: Overwrite = False,
) -> None:
    """Write the students' version of a chapter, without solutions, hidden tests and
    outputs.

    Examples to try:
    - `genai-tutorial assign 4 --to homework`
    - `genai-tutorial assign 4 --to homework --seed 7` changes exercises 4.1 and 4.4, so
      that the folded solutions don't pass
    - `genai-tutorial assign 4 --to homework --roster class.csv` gives each student of
      the table a version of these exercises
    """
    check_paths(chapter)
    from genai_tutorial import teaching

    with user_errors(teaching.TeachingError, exit_code=NOT_POSSIBLE):
        path = teaching.assign(
            chapter, to, seed=seed, roster=roster, overwrite=overwrite
        )
    option = "" if seed is None else f" --seed {seed}"
    if roster is not None:
        key = roster.with_suffix(".key")
        print(f"Keep {key}, and to yourself: grading needs it.")
        option = f" --roster {roster}"
    command = f"genai-tutorial grade {chapter} SUBMISSIONS{option}"
    print(f"The release is {path}. Grade what is handed in with: {command}")


def grade(
    chapter: ChapterName,
    submissions: Annotated[
        list[Path],
        typer.Argument(help="Students' notebooks, or folders with notebooks."),
    ],
    to: Folder = Path("grades"),
    seed: Annotated[
        int | None, typer.Option(help="The seed of assign, if it had one.")
    ] = None,
    roster: Roster = None,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Grade all again and replace the grades."),
    ] = False,
    unprotected: Annotated[
        bool,
        typer.Option(
            "--unprotected",
            help="Run students' code even where this system cannot keep it in.",
        ),
    ] = False,
) -> None:
    """Grade students' notebooks and write a table of points and a page of feedback for
    each student.

    Students' code runs in separate processes, with limits on time and memory and
    without network access. The tests are taken from the chapter, not from the
    submission. Open questions are left for you.

    Points and feedback are written after each notebook. If you run the command again,
    it grades only notebooks that are new or have changed, and keeps your own entries in
    the table.

    Examples to try:
    - `genai-tutorial grade 4 ada.ipynb` grades one notebook
    - `genai-tutorial grade 4 submissions --to grades` grades all notebooks in a folder
      and writes `grades/grades.csv`
    """
    check_paths(chapter, submissions)
    from .book import grade_submissions

    versions = {"seed": seed, "roster": roster}
    grade_submissions(chapter, submissions, to, versions, overwrite, unprotected)


def gradebook(
    grades: Annotated[Path, typer.Argument(help="The folder that grade has written.")],
    submissions: Annotated[
        list[Path] | None,
        typer.Argument(help="The unpacked download, for a learning platform."),
    ] = None,
    canvas: Annotated[
        Path | None, typer.Option(help="The gradebook exported from Canvas.")
    ] = None,
    column: Annotated[
        str | None, typer.Option(help="The assignment's title in Canvas.")
    ] = None,
    moodle: Annotated[
        Path | None, typer.Option(help="The offline grading worksheet from Moodle.")
    ] = None,
    to: Folder = Path("gradebook"),
    allow_missing: Annotated[
        bool,
        typer.Option("--allow-missing", help="Count points still to be given as 0."),
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Write the total of each student, for a spreadsheet or a learning platform.

    Without a platform, this writes `students.csv`. For Canvas and Moodle, it fills the
    table that you downloaded there, and packs the pages of feedback so that each
    reaches its student.

    Examples to try:
    - `genai-tutorial gradebook grades`
    - `genai-tutorial gradebook grades submissions --canvas export.csv
      --column "Chapter 4"`
    - `genai-tutorial gradebook grades submissions --moodle worksheet.csv`
    """
    if canvas and moodle:
        raise UserError("Give either --canvas or --moodle.", WRONG_USE)
    if bool(canvas) != (column is not None):
        raise UserError("--canvas and --column go together.", WRONG_USE)
    table, submissions = canvas or moodle, submissions or []
    if bool(table) != bool(submissions):
        raise UserError(
            "A platform's table and the graded submissions go together.", WRONG_USE
        )
    check_grades(grades, submissions, table)
    from .book import write_gradebook

    write_gradebook(grades, to, submissions, table, column, allow_missing, overwrite)


def slides(
    chapter: Annotated[
        str | None,
        typer.Argument(help="The chapter's number; all chapters if it is left out."),
    ] = None,
    to: Annotated[
        Path, typer.Option(help="The folder, or for one chapter an HTML file.")
    ] = Path("slides"),
    overwrite: Overwrite = False,
) -> None:
    """Write the slides of a chapter as one HTML file, for any browser.

    What the slides show of the chapter is taken from its notebook. In the browser,
    space goes on, `n` shows the notes for the speaker, and `p` prints.

    Examples to try:
    - `genai-tutorial slides 4 --to deck.html`
    - `genai-tutorial slides --to slides` writes all of them, and a page that lists them
    """
    check_paths(chapter)
    if chapter is not None and to.suffix not in ("", ".html"):
        wrong = f"Slides are an HTML file: --to must end in .html, got {to.name}."
        raise UserError(wrong, WRONG_USE)
    from .book import make_slides

    make_slides(chapter, to, overwrite)


def questions(
    chapter: ChapterName,
    gift: Annotated[
        Path, typer.Option(help="The file to write, which Moodle imports as GIFT.")
    ],
    overwrite: Overwrite = False,
) -> None:
    """Write the questions of a chapter for a learning platform.

    Their answers are compared with the chapter's outputs first.

    Example: `genai-tutorial questions 4 --gift chapter4.gift`
    """
    check_paths(chapter)
    from genai_tutorial import teaching

    with user_errors(teaching.TeachingError, exit_code=NOT_POSSIBLE):
        path = teaching.write_gift(chapter, gift, overwrite=overwrite)
    print(f"The questions are in {path}.")


COMMANDS = (
    doctor, models, chapters, train, sample, ask, chat, agent, serve, execute, renumber
)  # fmt: skip
for command in (*COMMANDS, assign, grade, gradebook, slides, questions):
    app.command()(command)
