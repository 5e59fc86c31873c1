"""Thirty known ways out of a sandbox for Python, as short programs. They are harmless:
what they read, write, signal or connect to is made for the test, and the commands that
they start do nothing.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from genai_tutorial.sandbox import Outcome, ProgramRunner

ESCAPED = "ESCAPED"
"""The word that a program prints after it has got out."""


@dataclass(frozen=True)
class Escape:
    """A program that tries to get out.

    Attributes:
        kind: The boundary that it attacks: files, network, processes, other processes,
            resources, or the sandbox's own controls.
        source: The program, in which `SECRET`, `FOLDER` and `PORT` stand for a file, a
            folder and a port of the test.
        works_outside: True if it can safely be shown to work in plain Python, outside
            the sandbox.
    """

    name: str
    kind: str
    source: str
    works_outside: bool = True

    def program(self, secret: Path, folder: Path, port: int) -> str:
        """Return the program for one test: see `try_escapes`."""
        return (
            self.source.replace("SECRET", repr(str(secret)))
            .replace("FOLDER", repr(str(folder)))
            .replace("PORT", str(port))
        )


ESCAPES = tuple(
    Escape(**one)
    for one in tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf8"))[
        "escape"
    ]
)
"""The thirty programs."""


def try_escapes(
    runner: ProgramRunner, secret: Path, folder: Path, port: int
) -> list[tuple[Escape, Outcome]]:
    """Run all programs in the sandbox against a file that they must neither read nor
    change, a folder in which they must not write, and a port of this machine that they
    must not reach; return how each ended.
    """
    programs = [escape.program(secret, folder, port) for escape in ESCAPES]
    return list(zip(ESCAPES, runner.run(programs), strict=True))


def got_out(outcome: Outcome) -> bool:
    """Return whether a program did what it must not."""
    return ESCAPED in outcome.output
