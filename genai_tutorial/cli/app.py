"""The commands and their help. What they do stands in the rooms of the package,
imported when a command runs.
"""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from genai_tutorial import __version__
from genai_tutorial.cli.user_errors import (
    NOT_POSSIBLE,
    WRONG_USE,
    UserError,
    user_errors,
)

# Every error of a command line is one of these, in the typer that brings its own
# click and in those before it.
UsageError = typer.BadParameter.__base__

app = typer.Typer(
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    # a traceback is for whoever mends this program, and plain Python's is enough
    pretty_exceptions_enable=False,
)

Folder = Annotated[
    Path,
    typer.Option(
        "--to", help="The folder to write into; it is made where it does not exist."
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace files that are there already.")
]


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 if it worked, 2 if it was wrong, 1 if it could
    not be done.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        code = app(
            args=arguments or ["--help"],
            prog_name="genai-tutorial",
            standalone_mode=False,
        )
    except UserError as error:
        code = _say(str(error), error.exit_code)
    except UsageError as error:
        command = error.ctx.command_path if error.ctx else "genai-tutorial"
        message = " ".join(error.format_message().split()).rstrip(".")
        code = _say(f"{message}. See {command} --help.", WRONG_USE)
    except (
        ImportError,
        OSError,
        # a package that is not installed, a full disk, a folder without permission
    ) as error:
        code = _say(str(error), NOT_POSSIBLE)
    except typer.Abort:  # Ctrl-C; newer versions of typer return 130 by themselves
        code = 130
    sys.exit(code if isinstance(code, int) else 0)


def _say(message: str, code: int) -> int:
    print(f"genai-tutorial: {message}", file=sys.stderr)
    return code


def _print_version(wanted: bool) -> bool:
    if wanted:
        print(__version__)
        raise typer.Exit
    return wanted


@app.callback()
def _start(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help="Print the version and exit.",
        ),
    ] = False,
) -> None:
    """Use **Generative AI Explained, in Running Code** from the command line.

    Begin with `genai-tutorial doctor`, which says what works on this machine and how to
    get the rest. Each command has a `--help` with examples.
    """


@app.command()
def doctor() -> None:
    """Say what is installed, what is missing and how to get it.

    Looks at Python, PyTorch and the device, the extras, the data, the trained models
    and the book's notebooks. Exits with 0 if the core works: an extra that is not
    installed is no error.

    Example: `genai-tutorial doctor`
    """
    from genai_tutorial.cli.doctor import examine

    if not examine():
        raise typer.Exit(NOT_POSSIBLE)


@app.command()
def chapters() -> None:
    """List the chapters with what they open, what they need, and how long they take.

    Example: `genai-tutorial chapters`
    """
    from genai_tutorial.cli.book import print_chapters

    print_chapters()


@app.command()
def train(
    name: Annotated[
        str, typer.Argument(help="The model; `genai-tutorial doctor` lists them.")
    ],
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Go on where an earlier run in this folder stopped."
        ),
    ] = False,
    steps: Annotated[
        int | None, typer.Option(min=1, help="How many; the recipe's own number else.")
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(help="cpu, cuda, cuda:1 or mps; CUDA where there is one else."),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Where checkpoints and the model are written.")
    ] = None,
) -> None:
    """Train one of the book's models by its recipe.

    The run writes checkpoints as it goes. Stop it with Ctrl-C, or lose power: with
    `--resume` it goes on to the very same model. On several processes, start it with
    torchrun.

    Examples to try:

    - `genai-tutorial train shakespeare` makes the model that chapter 4 loads
    - `genai-tutorial train shakespeare --steps 50 --folder try` makes a short run of 50
      steps
    - `genai-tutorial train shakespeare --resume` goes on after a stop
    """
    from genai_tutorial.cli.models import train_model

    train_model(name, steps, resume, device, folder)


@app.command()
def sample(
    name: Annotated[
        str, typer.Argument(help="The model; `genai-tutorial doctor` lists them.")
    ],
    options: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY=VALUE",
            help="The model's own options, such as prompt=..., steps=50 or digit=7.",
        ),
    ] = None,
    count: Annotated[
        int | None, typer.Option(min=1, max=10_000, help="Images: how many.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Images: the PNG file to write; NAME.png here else."),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(min=0, max=2**32 - 1, help="The same seed makes the same sample."),
    ] = 0,
    folder: Annotated[
        Path | None,
        typer.Option(help="Where you trained it; the book's own model else."),
    ] = None,
) -> None:
    """Let one of the book's models write, or draw images into a PNG file.

    Each model has its own options; a wrong one is answered with the right ones. Text:
    `prompt`, `temperature`, `top_p` and `tokens`. Digits: `digit`, `steps` and
    `guidance`. Pictures from captions: `prompt`, `steps` and `guidance`.

    Examples to try:

    - `genai-tutorial sample shakespeare`
    - `genai-tutorial sample shakespeare prompt="JULIET:" temperature=0.5 tokens=300
      --seed 7`
    - `genai-tutorial sample mnist-diffusion digit=7 steps=50 guidance=2 --count 20
      --out sevens.png`
    - `genai-tutorial sample shapes-diffusion prompt="a small red circle above a blue
      square" --out scene.png`
    """
    from genai_tutorial.cli.models import sample_model

    sample_model(name, options or [], count, seed, folder, out)


class Precision(StrEnum):
    """How many bits a weight has."""

    FP32 = "fp32"
    BF16 = "bf16"
    INT8 = "int8"
    INT4 = "int4"


class ChatModel(StrEnum):
    """Whom one can talk to."""

    SMOLLM2 = "smollm2"
    BASE = "base"
    SFT = "sft"
    PPO = "ppo"


@app.command()
def chat(
    model: Annotated[
        ChatModel,
        typer.Option(
            help=(
                "SmolLM2, or the book's own: the base model, after fine-tuning, after "
                "PPO."
            )
        ),
    ] = ChatModel.SMOLLM2,
    system: Annotated[
        str | None, typer.Option(help="What the model is told before you speak.")
    ] = None,
    temperature: Annotated[
        float,
        typer.Option(
            min=0, help="Below 1 plays safe, above 1 risks more, 0 is greedy."
        ),
    ] = 0.2,
    top_p: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Draw among the likeliest tokens that hold this probability.",
        ),
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="The most tokens of an answer; 512 for smollm2, fewer for the others.",
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            min=0,
            max=2**32 - 1,
            help="The same seed and the same questions give the same answers.",
        ),
    ] = 0,
    precision: Annotated[
        Precision | None,
        typer.Option(
            help=(
                "The bits of a weight of smollm2: int4, where nothing is said, is how "
                "its file keeps them."
            )
        ),
    ] = None,
) -> None:
    """Talk with SmolLM2, a small chat model, or with the model that chapters 12 to 14
    make.

    All of them run in the book's own Transformer. The book's model is there after each
    stage: base goes on with what you begin, sft answers questions about countries, ppo
    answers them as its raters preferred.

    Ctrl-C stops an answer, Ctrl-D ends the conversation. When the context is full, the
    oldest turns are forgotten. Input from a file or another program is a conversation
    too, each line a turn of yours; then the answers alone are written to the output,
    and what there is to say about them to the error stream.

    Examples to try:

    - `genai-tutorial chat`
    - `genai-tutorial chat --system "You are a pirate." --temperature 0.7 --top-p 0.9`
    - `genai-tutorial chat --max-tokens 100 --seed 7 --precision fp32`
    - `genai-tutorial chat --model sft`
    """
    from genai_tutorial.cli.chat import chat

    chat(
        model.value,
        system,
        temperature,
        top_p,
        max_tokens,
        seed,
        None if precision is None else precision.value,
    )


@app.command()
def execute(
    notebooks: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NOTEBOOK]...", help="Chapter numbers or files; all if left out."
        ),
    ] = None,
    jobs: Annotated[
        int,
        typer.Option(min=1, help="How many notebooks to run side by side."),
    ] = 1,
) -> None:
    """Run chapters from top to bottom and write them back with their outputs.

    Each notebook runs in a fresh kernel with one thread, on the CPU and without
    network. A second run writes the same bytes. A notebook that fails is left as it
    was, and the others run all the same. How long each one took is kept in
    `running_times.json` beside it.

    Examples to try:

    - `genai-tutorial execute 4` runs chapter 4
    - `genai-tutorial execute notebooks/04_transformer_language_model.ipynb` does the
      same
    - `genai-tutorial execute --jobs 2` runs them all, two at a time, longest first
    """
    from genai_tutorial.cli.book import execute_notebooks

    execute_notebooks(notebooks or [], jobs)


@app.command()
def assign(
    chapter: Annotated[
        str, typer.Argument(help="The chapter's number, or its notebook.")
    ],
    to: Folder,
    overwrite: Overwrite = False,
) -> None:
    """Write the students' release of a chapter: without solutions, hidden tests and
    outputs.

    Example: `genai-tutorial assign 4 --to homework`
    """
    from genai_tutorial import teaching

    with user_errors(teaching.TeachingError, exit_code=WRONG_USE):
        notebook = teaching.find_chapter(chapter)
    with user_errors(teaching.TeachingError, exit_code=NOT_POSSIBLE):
        path = teaching.assign(notebook, to, overwrite=overwrite)
    print(
        f"The release is {path}. Students hand in this notebook; grade it with: "
        "genai-tutorial grade"
    )


@app.command()
def grade(
    chapter: Annotated[
        str,
        typer.Argument(help="The chapter's number, or its notebook with solutions."),
    ],
    submissions: Annotated[
        list[Path],
        typer.Argument(help="Students' notebooks, or folders that hold them."),
    ],
    to: Folder = Path("grades"),
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help=(
                "Grade all of them again, and replace grades that are there already."
            ),
        ),
    ] = False,
) -> None:
    """Grade students' notebooks: a table of points, and a page of feedback for each
    student.

    Students' code runs in processes of its own, with limits on time and memory and
    without network. The tests are those of the chapter, whatever the submission did to
    its own. Open questions are left for you.

    Points and feedback are written after each notebook. The same command goes on where
    it was stopped, and grades only what is new or has changed: your own entries in the
    table stay.

    Examples to try:

    - `genai-tutorial grade 4 ada.ipynb` grades one notebook
    - `genai-tutorial grade 4 submissions --to grades` grades all in a folder, into
      `grades/grades.csv`
    """
    from genai_tutorial.cli.classroom import grade_submissions

    grade_submissions(chapter, submissions, to, overwrite)
