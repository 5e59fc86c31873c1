"""The commands and their help texts. Their implementations are in the other modules,
which are imported when a command runs.
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

# The base class of all command-line errors, both in versions of typer that bundle click
# and in those that depend on it.
UsageError = typer.BadParameter.__base__

app = typer.Typer(
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    # a traceback is for whoever mends this program, and plain Python's is enough
    pretty_exceptions_enable=False,
)

Folder = Annotated[
    Path,
    typer.Option("--to", help="The folder to write to; it is created if necessary."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")]


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with 0 on success, 2 on wrong usage and 1 if the
    command failed.
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

    Begin with `genai-tutorial doctor`, which checks what works on this machine and how
    to install the rest. `--help` after a command shows examples.
    """


@app.command()
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


@app.command()
def chapters() -> None:
    """List the chapters with their rooms, extras, reading and running times.

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
        typer.Option("--resume", help="Resume the interrupted run in this folder."),
    ] = False,
    steps: Annotated[
        int | None,
        typer.Option(min=1, help="Number of steps; by default the recipe's."),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(help="cpu, cuda, cuda:1 or mps; by default CUDA if present."),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Folder for checkpoints and the model.")
    ] = None,
) -> None:
    """Train one of the book's models from its recipe.

    The run saves checkpoints regularly. If it is interrupted, `--resume` continues it
    and ends with exactly the same model. To use several processes, start it with
    torchrun.

    Examples to try:
    - `genai-tutorial train shakespeare` trains the model that chapter 4 loads
    - `genai-tutorial train shakespeare --steps 50 --folder try` trains for 50 steps
      only
    - `genai-tutorial train shakespeare --resume` resumes an interrupted run
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
        int | None, typer.Option(min=1, max=10_000, help="Number of images or clips.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="PNG file for images, GIF or WebP for clips, MP3 or WAV for sounds; "
            "by default NAME.png, NAME.gif or NAME.mp3."
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(min=0, max=2**32 - 1, help="The same seed gives the same sample."),
    ] = 0,
    folder: Annotated[
        Path | None,
        typer.Option(help="Folder of your own run; by default the book's model."),
    ] = None,
) -> None:
    """Generate text, images, clips or sounds with one of the book's models.

    Each model has its own options, and a wrong option prints the list of valid ones.
    Language models take `prompt`, `temperature`, `top_p` and `tokens`; digit models
    `digit`, `steps` and `guidance`; text-to-image models `prompt`, `steps` and
    `guidance`; text-to-video models the same; voices `prompt`, `voice` and `pace`.
    Images are written to a PNG file, clips to an animated GIF or WebP, sounds to an
    MP3 or WAV file.

    Examples to try:
    - `genai-tutorial sample shakespeare`
    - `genai-tutorial sample shakespeare prompt="JULIET:" temperature=0.5 tokens=300
      --seed 7`
    - `genai-tutorial sample arithmetic-reasoner prompt="58+67+91+12"`
    - `genai-tutorial sample python-exercises prompt="Return the longest of the words."`
    - `genai-tutorial sample mnist-diffusion digit=7 steps=50 guidance=2 --count 20
      --out sevens.png`
    - `genai-tutorial sample shapes-diffusion prompt="a small red circle above a blue
      square" --out scene.png`
    - `genai-tutorial sample shapes-video prompt="a small red circle moves left slowly"
      --count 4 --out clips.webp`
    - `genai-tutorial sample caption-voice prompt="a red circle at the top" voice=0.5
      --out between.mp3`
    - `genai-tutorial sample bach-chorales harmonize=1 --out chorale.mp3`
    """
    from genai_tutorial.cli.models import sample_model

    sample_model(name, options or [], count, seed, folder, out)


@app.command()
def ask(
    image: Annotated[Path, typer.Argument(help="A square picture of shapes on white.")],
    question: Annotated[str, typer.Argument(help="The question, in quotation marks.")],
    folder: Annotated[
        Path | None,
        typer.Option(help="Folder of your own run; by default the book's model."),
    ] = None,
) -> None:
    """Ask the vision-language model of chapter 19 about a picture.

    It knows pictures of one to three coloured shapes, and questions such as "what
    colour is the circle?", "what shape is the red thing?", "what size is the cross?",
    "how many shapes are there?", "is there a red circle?", "where is the square?" and
    "is the circle above the square?". "describe" asks for a caption.

    Examples to try:
    - `genai-tutorial sample shapes-diffusion prompt="a red circle above a blue square"
      --count 1 --out scene.png`
    - `genai-tutorial ask scene.png "what colour is the circle?"`
    - `genai-tutorial ask scene.png describe`
    """
    from genai_tutorial.cli.ask import ask_about

    ask_about(image, question, folder)


class Precision(StrEnum):
    """The number format of the weights."""

    FP32 = "fp32"
    BF16 = "bf16"
    INT8 = "int8"
    INT4 = "int4"


class ChatModel(StrEnum):
    """The available chat models."""

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
    documents: Annotated[
        Path | None,
        typer.Option(help="Answer from the .txt and .md files in this folder."),
    ] = None,
    system: Annotated[
        str | None, typer.Option(help="System message for the model.")
    ] = None,
    temperature: Annotated[
        float,
        typer.Option(min=0, help="Below 1 is safer, above 1 more varied, 0 is greedy."),
    ] = 0.2,
    top_p: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Sample from the likeliest tokens with this total probability.",
        ),
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Maximum tokens per answer; 512 for smollm2, fewer for the others.",
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
                "Number format of smollm2's weights; by default int4, the format of "
                "its file."
            )
        ),
    ] = None,
) -> None:
    """Chat with SmolLM2, a small chat model, or with the model that chapters 12 to 14
    train.

    All of them run in the book's own Transformer. The book's model is available after
    each stage of training: base continues your text, sft answers questions about
    countries, and ppo answers them as its raters preferred.

    Ctrl-C stops an answer, Ctrl-D ends the conversation. When the context is full, the
    oldest turns are dropped. If the input is a file or a pipe, each line is one turn of
    yours; the answers go to standard output and everything else to standard error.

    With a folder of documents, smollm2 answers each question by itself from the
    passages that fit it best, and cites the file and the place. Where no passage is
    near enough, it says that it does not know. Answers are greedy.

    Examples to try:
    - `genai-tutorial chat`
    - `genai-tutorial chat --documents notes`
    - `genai-tutorial chat --system "You are a pirate." --temperature 0.7 --top-p 0.9`
    - `genai-tutorial chat --max-tokens 100 --seed 7 --precision fp32`
    - `genai-tutorial chat --model sft`
    """
    weights = None if precision is None else precision.value
    if documents is not None:
        from genai_tutorial.cli.document_chat import chat_about

        chat_about(documents, model.value, system, top_p, max_tokens, weights)
        return
    from genai_tutorial.cli.chat import chat

    chat(model.value, system, temperature, top_p, max_tokens, seed, weights)


@app.command()
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


@app.command()
def assign(
    chapter: Annotated[
        str, typer.Argument(help="The chapter's number, or its notebook.")
    ],
    to: Folder,
    overwrite: Overwrite = False,
) -> None:
    """Write the students' version of a chapter, without solutions, hidden tests and
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
        typer.Argument(help="Students' notebooks, or folders with notebooks."),
    ],
    to: Folder = Path("grades"),
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help=("Grade all submissions again and replace existing grades."),
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
    from genai_tutorial.cli.classroom import grade_submissions

    grade_submissions(chapter, submissions, to, overwrite)
