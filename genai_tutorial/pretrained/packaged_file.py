"""Files of weights inside installed packages: locate one without running the package's
code, and check it byte for byte.
"""

import hashlib
import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class PackagedFile:
    """A file that comes inside a package from PyPI."""

    model: str
    package: str
    file: str
    bytes: int
    sha256: str
    install: str
    variable: str
    own: str

    @property
    def is_user_supplied(self) -> bool:
        """True if the environment variable replaces the packaged file."""
        return self.variable in os.environ

    def find(self) -> Path:
        """Return the path in the environment variable, or else the packaged file's."""
        if self.is_user_supplied:
            path = Path(os.environ[self.variable]).expanduser()
            if not (os.environ[self.variable] and path.exists()):
                raise FileNotFoundError(
                    f"{self.variable} is {os.environ[self.variable]!r}, which does not "
                    f"exist: set it to {self.own}, or unset it and run {self.install}"
                )
            return path
        # The package is located without importing it: the import may need packages
        # that `--no-deps` leaves out.
        spec = importlib.util.find_spec(self.package)
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            if (path := Path(folder) / self.file).is_file():
                return path
        raise FileNotFoundError(
            f"{self.model} is not installed: run {self.install} "
            f"({self.bytes / 1e6:.0f} MB), or set {self.variable} to {self.own} that "
            "you have"
        )

    def check(self, path: Path) -> None:
        """Check that a file is, byte for byte, the one that the book was written
        with.
        """
        size = path.stat().st_size
        if size != self.bytes:
            problem = f"has {size:,} bytes instead of {self.bytes:,}"
        else:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if found == self.sha256:
                return
            problem = f"has the SHA-256 {found[:12]}… instead of {self.sha256[:12]}…"
        again = self.install.replace("install", "install --force-reinstall")
        raise ValueError(
            f"{path} {problem}, so it is damaged or another version: run {again}, "
            f"or set {self.variable} to {self.own} to use it as it is"
        )
