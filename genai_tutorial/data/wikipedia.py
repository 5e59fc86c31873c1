"""The articles of the dump used for pre-training: an allow-list, so that nothing gets
in by accident.
"""

import bz2
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from genai_tutorial.runtime import cached, package_folder, require

from .source import Source
from .wikitext import plain_text

PRETRAINING_TITLES = (
    # Nature and science
    "Albedo", "International Atomic Time", "Agricultural science", "Alchemy",
    "Astronomer", "Arithmetic mean", "Amphibian", "Algae", "Analysis of variance",
    "Alkane", "Abacus", "Acid", "Asphalt", "Apollo 11", "Apollo 8", "Astronaut",
    "Alkali metal", "Atomic number", "Anatomy", "Aardvark", "Aardwolf",
    "Atlantic Ocean", "Actinopterygii", "Amateur astronomy", "Agnostida", "Ampere",
    "Algorithm", "Agriculture", "Anthropology",
    # Language, thought and law
    "A", "ASCII", "Alphabet", "Ambiguity", "Answer", "Affirming the consequent",
    "Altruism", "Austroasiatic languages", "Afroasiatic languages",
    "Appellate procedure in the United States", "Appellate court", "Arraignment",
    "Abstract (law)", "Articles of Confederation",
    "American National Standards Institute", "Assistive technology",
    # Arts, stories and sport
    "Achilles", "Apollo", "An American in Paris",
    "Academy Award for Best Production Design", "Academy Awards", "Actrius",
    "Animalia (book)", "Animation", "Animal Farm", "America the Beautiful",
    "A Modest Proposal", "Adobe", "Adventure", "Aikido", "Art", "Android (robot)",
    "American Football Conference",
    # People and places
    "Abraham Lincoln", "Aristotle", "Alain Connes", "Allan Dwan", "Andre Agassi",
    "Aldous Huxley", "Andrei Tarkovsky", "Arthur Schopenhauer", "Albert Einstein",
    "Alabama", "Alaska", "Alberta",
)  # fmt: skip
"""74 of the 96 articles, 1.7 million characters.

Left out are the articles about countries and Asia, because they contain facts that the
Factbook's splits withhold, and those on war, religion, politics and medicine, to which
a model this small cannot do justice. The remaining articles still mention some
countries; the withheld ones of the Factbook's split occur eight times.
"""

HELD_OUT_TITLES = ("Albedo", "Alphabet", "Animation", "Aristotle", "Astronaut")
"""The articles among them that no model is trained on."""


WIKIPEDIA_SOURCE = Source(
    name="Wikipedia",
    loader="load_wikipedia",
    contents=(
        "96 articles of the English Wikipedia, their titles beginning with A, 2.4 "
        "million characters"
    ),
    package="gensim",
    extra="text",
    url="https://en.wikipedia.org",
    licence=(
        "CC BY-SA 3.0 and GFDL; whoever passes the text on names the authors and keeps "
        "the licence"
    ),
    attribution=(
        "The authors of the English Wikipedia; the history of each article at "
        "en.wikipedia.org lists them"
    ),
)

DUMP = "enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2"
"""A part of Wikipedia's dump of April 2016, which gensim ships for its own tests.
"""

SHORTEST = 500
"""Pages with fewer characters of text are lists or lead on to other pages; they are
left out.
"""


@dataclass(frozen=True)
class Articles:
    """Articles in the order of the dump.

    Attributes:
        texts: Text of each article, with an empty line between paragraphs.
    """

    titles: tuple[str, ...]
    texts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.titles)

    @property
    def text(self) -> str:
        """All articles in one text, each under its title."""
        return (
            "\n\n".join(
                f"{title}\n\n{text}"
                for title, text in zip(self.titles, self.texts, strict=True)
            )
            + "\n"
        )


def load_wikipedia(titles: Iterable[str] | None = None) -> Articles:
    """Load the articles as plain text: complete paragraphs, without tables, lists,
    references, links or markup.

    Args:
        titles: Titles of the articles, such as `PRETRAINING_TITLES`; None loads all.
            They are returned in the order of the dump.

    Raises:
        ImportError: If gensim or mwparserfromhell is not installed.
        ValueError: If there is no article with a given title.
        FileNotFoundError: If the installed gensim does not contain the dump.

    Source: the dump in the package gensim, whose file is read and whose code is not run.

    >>> articles = load_wikipedia()
    >>> articles.titles[:4]
    ('Anarchism', 'Autism', 'Albedo', 'A')
    >>> print(articles.texts[articles.titles.index("Apollo 11")][:86])
    Apollo 11 was the first spaceflight that landed humans on the Moon. Americans Neil Arm
    """  # noqa: E501
    path = package_folder("gensim", extra="text") / "test" / "test_data" / DUMP
    parser = require("mwparserfromhell", extra="text")
    arrays = cached(
        "wikipedia",
        lambda: _build(path),
        version=f"{version('gensim')}, {parser.__version__}",
    )
    found = dict(
        zip(
            arrays["titles"].tolist(),
            arrays["bytes"].tobytes().decode("utf-8").split("\0"),
            strict=True,
        )
    )
    wanted = found.keys() if titles is None else set(titles)
    if unknown := sorted(wanted - found.keys()):
        raise ValueError(f"The dump has no article {', '.join(map(repr, unknown))}")
    kept = {title: text for title, text in found.items() if title in wanted}
    return Articles(titles=tuple(kept), texts=tuple(kept.values()))


def _build(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise FileNotFoundError(
            f"{path.name} is not in the installed gensim: run pip install "
            '"gensim>=4.3.3,<4.5" and try again'
        )
    texts = {title: plain_text(wikitext) for title, wikitext in read_dump(path)}
    texts = {title: text for title, text in texts.items() if len(text) >= SHORTEST}
    joined = "\0".join(texts.values()).encode("utf-8")
    return {
        "titles": np.array(list(texts)),
        "bytes": np.frombuffer(joined, dtype=np.uint8),
    }


def read_dump(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the title and the wikitext of each article in a MediaWiki dump, without
    redirects.
    """
    try:
        with bz2.open(path) as file:
            for _, page in ElementTree.iterparse(file):
                if page.tag.endswith("}page"):
                    wiki = {"": page.tag[1:].partition("}")[0]}
                    if (
                        page.findtext("ns", namespaces=wiki) == "0"
                        and page.find("redirect", wiki) is None
                    ):
                        text = page.findtext("revision/text", namespaces=wiki)
                        yield page.findtext("title", "", wiki), text or ""
                    page.clear()
    except (OSError, EOFError, ValueError, SyntaxError) as error:
        # ElementTree's ParseError is a SyntaxError.
        raise ValueError(
            f"{path} is damaged or no dump ({error}): install gensim again."
        ) from error
