"""The program `genai-tutorial`: its commands and how it reports errors."""

import sys
from typing import Annotated

import typer

from genai_tutorial import __version__
from genai_tutorial.cli.book_commands import chapters, doctor, execute
from genai_tutorial.cli.classroom_commands import assign, grade
from genai_tutorial.cli.model_commands import agent, ask, chat, sample, train
from genai_tutorial.cli.server_commands import serve
from genai_tutorial.cli.user_errors import NOT_POSSIBLE, WRONG_USE, UserError

# The base class of all command-line errors, both in versions of typer that bundle click
# and in those that depend on it.
UsageError = typer.BadParameter.__base__

app = typer.Typer(
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    # a traceback is for whoever mends this program, and plain Python's is enough
    pretty_exceptions_enable=False,
)


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


COMMANDS = (
    doctor,
    chapters,
    train,
    sample,
    ask,
    chat,
    agent,
    serve,
    execute,
    assign,
    grade,
)
for command in COMMANDS:
    app.command()(command)
