"""A program that tries to leave the sandbox."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Escape:
    """A program that tries to get out.

    Attributes:
        name: The attempt in a few words.
        kind: The boundary that it attacks: files, network, processes, other processes,
            resources, or the sandbox's own controls.
        source: The program, in which `SECRET`, `FOLDER` and `PORT` stand for a file, a
            folder and a port of the test.
        works_outside: Whether it can safely be shown to work in plain Python, outside
            the sandbox.
    """

    name: str
    kind: str
    source: str
    works_outside: bool = True

    def program(self, secret: Path, folder: Path, port: int) -> str:
        """Return the program for one test.

        Args:
            secret: A file that it must neither read nor change.
            folder: A folder in which it must not write.
            port: A port of this machine that it must not reach.
        """
        return (
            self.source.replace("SECRET", repr(str(secret)))
            .replace("FOLDER", repr(str(folder)))
            .replace("PORT", str(port))
        )
