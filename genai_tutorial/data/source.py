"""The origin and the licence of a data set."""

from dataclasses import dataclass

from genai_tutorial.runtime import install_command


@dataclass(frozen=True)
class Source:
    """The origin of a data set, as listed on the page *Data and licences*.

    Attributes:
        name: Name of the data set in this book.
        loader: Function in `genai_tutorial.data` that loads it.
        contents: Description of the data with their size.
        package: PyPI package that contains the data.
        extra: Extra of `genai_tutorial` that installs this package; None if it is
            installed alone, because its files are read and its code is not run.
        url: Original source of the data.
        licence: Licence of the data, or a sentence if none is stated.
        attribution: Credit to give.
    """

    name: str
    loader: str
    contents: str
    package: str
    extra: str | None
    url: str
    licence: str
    attribution: str

    @property
    def install(self) -> str:
        """The command that installs the package."""
        return install_command(self.package, self.extra)
