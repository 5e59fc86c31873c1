"""The origin and the licence of a data set."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """The origin of a data set, as listed on the page *Data and licences*.

    Attributes:
        name: name of the data set in this book.
        loader: function in `genai_tutorial.data` that loads it.
        contents: description of the data with their size.
        package: PyPI package that contains the data.
        extra: extra of `genai_tutorial` that installs this package.
        url: original source of the data.
        licence: licence of the data, or a sentence if none is stated.
        attribution: credit to give.
    """

    name: str
    loader: str
    contents: str
    package: str
    extra: str
    url: str
    licence: str
    attribution: str
