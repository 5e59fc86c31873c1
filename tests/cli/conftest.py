"""The command line as a shell would run it."""

import io
import re
import sys

import pytest

from genai_tutorial.cli import main


@pytest.fixture
def command(capsys, monkeypatch):
    """Run the command line on what is typed, and return its exit code, output and
    errors.
    """

    def run(*arguments: object, typed: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return caught.value.code, captured.out, captured.err

    return run


@pytest.fixture
def error_line(command):
    """Run an invalid command line, and return the single line that it prints."""

    def run(code: int, *arguments: object, typed: str = "") -> str:
        exit_code, output, errors = command(*arguments, typed=typed)
        assert (exit_code, output) == (code, ""), errors
        assert re.fullmatch(r"genai-tutorial: \S[^\n]*\n", errors), errors
        return errors

    return run
