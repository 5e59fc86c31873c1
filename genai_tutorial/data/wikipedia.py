"""Articles of Wikipedia from a dump, converted from their markup to plain text; those
for pre-training are on a list, so that nothing gets in by accident.
"""

import bz2
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from genai_tutorial.runtime import cached, package_folder, require

PRETRAINING_TITLES = tuple(
    line
    for line in Path(__file__)
    .with_name("wikipedia_titles.txt")
    .read_text()
    .splitlines()
    if not line.startswith("#")
)
"""74 of the 96 articles, 1.7 million characters.

Left out are the articles about countries and Asia, because they contain facts that the
Factbook's splits withhold, and those on war, religion, politics and medicine, to which
a model this small cannot do justice. The remaining articles still mention some
countries; the withheld ones of the Factbook's split occur eight times.
"""

HELD_OUT_TITLES = ("Albedo", "Alphabet", "Animation", "Aristotle", "Astronaut")
"""The articles among them that no model is trained on."""

DUMP = "enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2"
"""A part of Wikipedia's dump of April 2016, which gensim ships for its own tests."""

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
        articles = zip(self.titles, self.texts, strict=True)
        return "\n\n".join(f"{title}\n\n{text}" for title, text in articles) + "\n"


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
    texts = arrays["bytes"].tobytes().decode("utf-8").split("\0")
    found = dict(zip(arrays["titles"].tolist(), texts, strict=True))
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
                    is_article = page.findtext("ns", namespaces=wiki) == "0"
                    if is_article and page.find("redirect", wiki) is None:
                        text = page.findtext("revision/text", namespaces=wiki)
                        yield page.findtext("title", "", wiki), text or ""
                    page.clear()
    except (OSError, EOFError, ValueError, SyntaxError) as error:
        # ElementTree's ParseError is a SyntaxError.
        raise ValueError(
            f"{path} is damaged or no dump ({error}): install gensim again."
        ) from error


# A character that no article contains marks content that cannot be shown as text. The
# sentence around it is incomplete.
_HOLE = "\ufffc"
_LIST = "\x02"  # starts a line with a list item


def _names(listed: str) -> tuple[str, ...]:
    return tuple(listed.split(", "))


_LAST_SECTIONS = _names(
    "see also, notes, references, external links, further reading, bibliography, "
    "sources, footnotes, citations, notes and references, works cited, gallery, "
    "literature, links"
)

# Templates that can be dropped, because they are not part of the sentence.
_SILENT_TEMPLATES = _names(
    "sfn, harv, cite, citation, rp, efn, refn, ref, note, anchor, dead link, wayback, "
    "webarchive, page needed, clarify, which, when, who, by whom, cn, "
    "failed verification, better source, unreliable source, relevance inline, dubious, "
    "inconsistent, flagicon, ipa, respell, vague, audio, icon, pron, main, "
    "see also"
)
_SILENT_TAGS = _names("ref, references, gallery, table, hr, timeline, imagemap, s")
_TRANSPARENT_TAGS = _names(
    "b, i, span, small, big, nowiki, code, tt, center, u, em, abbr"
)
_PARAGRAPH_TAGS = _names("blockquote, div, poem, p")

# For templates that only format a text: the argument that holds it.
_TEMPLATE_TEXT = dict.fromkeys(
    _names(
        "nowrap, small, smaller, big, vanchor, linktext, angbr, keypress, nobold, "
        "noitalic, sc, vr, script, nihongo, quote, abbr"
    ),
    0,
)
_TEMPLATE_TEXT |= {"lang": 1, "transl": -1}
_TEMPLATE_SIGNS = {
    **{"ndash": "–", "snd": " – ", "mdash": "—", "mdashb": "—"},
    **{"nbsp": " ", "thinsp": " ", "spaces": " "},
    **{"'s": "'s", "·": "·", "=": "=", "'": "'"},
}
_UNITS = {
    **{"mi": "miles", "sqmi": "square miles", "ft": "feet", "in": "inches"},
    **{"lb": "pounds", "long ton": "long tons", "acre": "acres", "kph": "km/h"},
    **{"m2": "m²", "m3": "m³", "km2": "km²", "sqkm": "km²", "C": "°C", "F": "°F"},
}

_SUPERSCRIPT = str.maketrans("0123456789+-−=()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿ")
_SUBSCRIPT = str.maketrans("0123456789+-−=()", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎")

_LEFT_OVER = re.compile(
    r"\[\[|\]\]|\{|\}|''|</?[A-Za-z!]|https?:|&#?\w+;|__[A-Z]+__|[|\t]|^[*#:;=!]|\(\s|\s\)|\(\)"
)
_BEGINS_LIKE_A_SENTENCE = re.compile(r"[\"'“‘(\[]*[^\W_a-z]")
_ENDS_LIKE_A_SENTENCE = re.compile(r"[.!?][\"'”’)\]]*$")


def plain_text(wikitext: str) -> str:
    r"""Convert the markup of one article to paragraphs of plain text.

    A paragraph is kept if it ends like a sentence. A sentence is dropped if something
    in it cannot be shown as text, such as a formula. Tables, lists, headings, captions,
    footnotes and the reference sections at the end are dropped too.

    >>> plain_text(
    ...     "== Name ==\n'''Algae'''{{sfn|Lee|2008}} live in [[sea water|the sea]].<ref>Lee</ref>\n* kelp"
    ... )
    'Algae live in the sea.'
    """  # noqa: E501
    parser = require("mwparserfromhell", extra="text")
    # skipped: level of the heading whose section is being skipped
    lines, skipped = [], None
    for line in _render(parser.parse(wikitext)).split("\n"):
        heading = re.fullmatch(r"\x01(\d)(.*)", line)
        if heading:
            level, title = int(heading[1]), heading[2].strip().casefold()
            if skipped is None or level <= skipped:
                skipped = level if title in _LAST_SECTIONS else None
        elif skipped is None:
            lines.append(_paragraph(line))
    return "\n\n".join(line for line in lines if line)


def _paragraph(line: str) -> str:
    """Clean up one paragraph; return an empty string if nothing readable is left."""
    line = unicodedata.normalize("NFC", line)
    line = re.sub(r"[\u200b-\u200f\ufeff\u00ad]", "", line)
    # text in brackets can be left out
    line = re.sub(rf"\([^()]*{_HOLE}[^()]*\)", "", line)
    # boxes before a paragraph, notes after a sentence
    line = re.sub(rf"^[\s{_HOLE}]+|(?<=[.!?]){_HOLE}+", "", line)
    if _LIST in line or not _ENDS_LIKE_A_SENTENCE.search(line.rstrip()):
        return ""
    if _HOLE in line:
        sentences = re.split(r"(?<=[a-z\d)”\"][.!?])\s+(?=[A-Z\"“])", line)
        line = " ".join(sentence for sentence in sentences if _HOLE not in sentence)
    # brackets that held a note or a pronunciation
    line = re.sub(r"\(\s*[,;:–]*\s*\)|\[\s*\]", "", line)
    line = re.sub(r"\(\s*[,;:]?\s+", "(", re.sub(r"[\s,;]+\)", ")", line))
    line = re.sub(r"\s+", " ", line)
    line = re.sub(r" +([,.;:!?)])(?=\s|$)", r"\1", line).strip()
    if _LEFT_OVER.search(line) or not _BEGINS_LIKE_A_SENTENCE.match(line):
        return ""
    return line if len(line) >= 20 else ""


def _render(code) -> str:
    """Return the text that a reader of the page sees, with a `_HOLE` for anything that
    cannot be shown as text.
    """
    return "".join(_RENDER[type(node).__name__](node) for node in code.nodes)


def _link(node) -> str:
    title = str(node.title).strip()
    if re.match(r"(?i)(file|image|category|media|[a-z]{2,3}(-[a-z]+)?):", title):
        return ""
    return _render(node.text if node.text is not None else node.title).removeprefix(":")


def _tag(node) -> str:
    name = str(node.tag).strip().lower()
    if name in _SILENT_TAGS:
        return ""
    if name in ("li", "dt", "dd"):
        return _LIST
    if name == "br":
        return " "
    text = _render(node.contents) if node.contents is not None else ""
    if name in ("sup", "sub"):
        small = text.translate(_SUPERSCRIPT if name == "sup" else _SUBSCRIPT)
        return _HOLE if set(small) & set(text) - {" "} else small
    if name in _TRANSPARENT_TAGS:
        return text
    if name in _PARAGRAPH_TAGS:
        return f"\n{text}\n"
    return _HOLE


def _template(node) -> str:
    name = " ".join(str(node.name).split()).lower()
    unnamed = (parameter for parameter in node.params if not parameter.showkey)
    values = [_render(parameter.value).strip() for parameter in unnamed]
    if name in _TEMPLATE_SIGNS:
        return _TEMPLATE_SIGNS[name]
    if name in _TEMPLATE_TEXT and len(values) > _TEMPLATE_TEXT[name]:
        return values[_TEMPLATE_TEXT[name]] if values else _HOLE
    if name.startswith("lang-") and values:
        return values[0]
    if name in ("convert", "cvt") and len(values) > 1:
        return _convert(values)
    if name == "as of" and values:
        return f"{'as' if node.has('lc') else 'As'} of {values[0]}"
    if name == "chem" and values:
        formula = "".join(value.translate(_SUBSCRIPT) for value in values)
        return _HOLE if "n" in formula else formula
    if name == "frac" and len(values) == 2:
        return "/".join(values)
    return "" if name.startswith(_SILENT_TEMPLATES) else _HOLE


def _convert(values: list[str]) -> str:
    number, rest = values[0], values[1:]
    if rest[0] in ("to", "-", "–", "and", "by", "x", "or") and len(rest) > 2:
        joint = "–" if rest[0] in "-–" else f" {rest[0]} "
        number, rest = f"{number}{joint}{rest[1]}", rest[2:]
    number = re.sub(r"\d{4,}", lambda digits: f"{int(digits[0]):,}", number)
    return f"{number} {_UNITS.get(rest[0], rest[0])}"


_RENDER = {
    "Text": lambda node: str(node.value),
    "HTMLEntity": lambda node: node.normalize(),
    "Comment": lambda node: "",
    "Heading": lambda node: f"\n\x01{node.level}{_render(node.title)}\n",
    "Wikilink": _link,
    "ExternalLink": lambda node: "" if node.title is None else _render(node.title),
    "Tag": _tag,
    "Template": _template,
    "Argument": lambda node: _HOLE,
}
