"""The articles as plain text: whole sentences, no markup, no added words."""

import bz2
import re
import unicodedata

import mwparserfromhell
import pytest

from genai_tutorial.data import (
    DUMP,
    PRETRAINING_TITLES,
    Articles,
    load_factbook,
    load_wikipedia,
    plain_text,
    read_dump,
    wikipedia,
)
from genai_tutorial.runtime import package_folder

ARTICLES = load_wikipedia()
PATH = package_folder("gensim", extra="text") / "test" / "test_data" / DUMP


def test_wikipedia_has_96_articles_of_2_million_characters():
    assert len(ARTICLES) == len(ARTICLES.texts) == len(set(ARTICLES.titles)) == 96
    assert sum(map(len, ARTICLES.texts)) == pytest.approx(2.41e6, rel=0.01)
    assert {"Albert Einstein", "Algorithm", "Apollo 11", "Aardvark", "Alchemy"} <= set(
        ARTICLES.titles
    )
    assert min(map(len, ARTICLES.texts)) >= wikipedia.SHORTEST


@pytest.mark.slow
def test_wikipedia_excludes_redirects_and_lists():
    titles = [title for title, _ in read_dump(PATH)]
    assert len(titles) == len(set(titles)) == 106
    assert "AmericanSamoa" not in titles  # a redirect in the dump
    left_out = set(titles) - set(ARTICLES.titles)
    assert {"Animal (disambiguation)", "List of anthropologists"} <= left_out
    assert [title for title in titles if title not in left_out] == list(ARTICLES.titles)


@pytest.mark.parametrize(
    "content",
    [b"", b"no archive", bz2.compress(b"<a><page>"), bz2.compress(b"<a/>")[:-3]],
)
def test_a_damaged_dump_is_named(tmp_path, content):
    (tmp_path / "dump.bz2").write_bytes(content)
    with pytest.raises(ValueError, match=r"dump\.bz2 is damaged or no dump"):
        list(read_dump(tmp_path / "dump.bz2"))


def test_pretraining_articles_are_on_list():
    chosen = load_wikipedia(PRETRAINING_TITLES)
    assert set(chosen.titles) == set(PRETRAINING_TITLES)
    assert len(chosen) == len(PRETRAINING_TITLES) == 74
    assert sum(map(len, chosen.texts)) == pytest.approx(1.67e6, rel=0.01)
    texts = dict(zip(ARTICLES.titles, ARTICLES.texts, strict=True))
    assert chosen.titles == tuple(
        title for title in ARTICLES.titles if title in chosen.titles
    )
    assert chosen.texts == tuple(texts[title] for title in chosen.titles)


def test_pretraining_articles_are_not_about_factbook_countries():
    countries = {country.name for country in load_factbook()}
    about = {
        title
        for title in ARTICLES.titles
        if any(re.search(rf"\b{name}n?\b", title) for name in countries)
    }
    assert {"Economy of Angola", "Angolan Armed Forces", "Albania", "Aruba"} <= about
    # Exceptions: a court in the United States is not a country, and a road in Alberta
    # is not a road to a capital.
    assert about & set(PRETRAINING_TITLES) == {
        "Appellate procedure in the United States"
    }
    assert not {"Abortion", "Allah", "American Revolutionary War", "Asia"} & set(
        PRETRAINING_TITLES
    )


def test_missing_article_title_is_named_in_error():
    with pytest.raises(ValueError, match="no article 'Zebra'"):
        load_wikipedia(["Aardvark", "Zebra"])


@pytest.mark.parametrize(
    "left_over",
    [
        r"\[\[|\]\]|\{|\}|''",  # links, templates, bold
        r"</?[A-Za-z!]",  # tags
        r"&[a-z]+;|&#\d+;",  # entities
        r"https?:|\bISBN\b|\bthumb\|",
        # gaps, control characters, invisible characters
        r"[\ufffc\ufffd\ue000-\uf8ff\x00-\x09\x0b-\x1f\u00a0\u200b-\u200f\ufeff]",
        r"  |\n{3}|(?m:^ | $)",
        r"\( |\(\)| \)",
        r"(?m)^[*#:;|=]|^(References|See also|External links)$",
    ],
)
def test_article_text_has_no_markup(left_over):
    assert not [
        re.search(left_over, text)
        for text in ARTICLES.texts
        if re.search(left_over, text)
    ]


def test_article_paragraphs_consist_of_whole_sentences():
    paragraphs = [
        paragraph for text in ARTICLES.texts for paragraph in text.split("\n\n")
    ]
    assert len(paragraphs) > 4_000
    for paragraph in paragraphs:
        assert re.search(r"[.!?][\"'”’)\]]*$", paragraph), paragraph[-80:]
        assert not paragraph[0].islower(), paragraph[:80]
        assert "\n" not in paragraph
        assert unicodedata.is_normalized("NFC", paragraph)


def test_famous_sentences_are_in_articles():
    texts = dict(zip(ARTICLES.titles, ARTICLES.texts, strict=True))
    assert (
        "one small step for [a] man, one giant leap for mankind" in texts["Apollo 11"]
    )
    assert texts["Apollo 11"].startswith(
        "Apollo 11 was the first spaceflight that landed humans on the Moon."
    )
    assert (
        "The simplest possible alkane (the parent molecule) is methane, CH₄."
        in texts["Alkane"]
    )


@pytest.mark.slow
def test_article_text_keeps_most_visible_words_and_adds_none():
    # Compared with gensim's own markup removal, which also keeps captions, lists and
    # references.
    wikitext = dict(read_dump(PATH))["Aardvark"]
    stripped = re.findall(
        r"[a-z]{4,}", mwparserfromhell.parse(wikitext).strip_code().lower()
    )
    kept = re.findall(
        r"[a-z]{4,}", ARTICLES.texts[ARTICLES.titles.index("Aardvark")].lower()
    )
    assert len(kept) > 0.8 * len(stripped)
    assert set(kept) <= set(
        re.findall(r"[a-z]{4,}", re.sub(r"\]\]|''", "", wikitext).lower())
    )


def test_wikipedia_text_puts_title_above_each_article():
    articles = Articles(titles=("A", "B"), texts=("One.\n\nTwo.", "Three."))
    assert articles.text == "A\n\nOne.\n\nTwo.\n\nB\n\nThree.\n"
    assert ARTICLES.text.count("\n\nApollo 11\n\nApollo 11 was the first") == 1


@pytest.mark.parametrize(
    ("wikitext", "expected"),
    [
        (
            "The '''moon''' is [[rock|a stone]].<ref>{{cite web}}</ref> It is grey.",
            "The moon is a stone. It is grey.",
        ),
        (
            "{{Infobox moon\n| mass=1}}\nThe moon weighs {{convert|1300|lb|kg}} here.",
            "The moon weighs 1,300 pounds here.",
        ),
        (
            "It was built in {{dts|1777|12|16}} by someone. Anybody can read the rest.",
            "Anybody can read the rest.",
        ),
        (
            "Aikido ({{IPA-ja|aikido}}) is an art&nbsp;– says the {{lang|fr|auteur}}.",
            "Aikido is an art – says the auteur.",
        ),
        (
            "A person ({{age|1969}} years old) has 10<sup>−3</sup> of H<sub>2</sub>O.",
            "A person has 10⁻³ of H₂O.",
        ),
        (
            "The formula <math>x^2</math> cannot be shown. Another sentence follows.",
            "Another sentence follows.",
        ),
        (
            "[[File:Moon.jpg|thumb|The moon at night.]]\n[[Category:Moons of Earth.]]",
            "",
        ),
        ("* An item is not a paragraph, even if it ends so.\n: Nor is this line.", ""),
        ("{| class=wikitable\n| A cell that ends like a sentence, but is one.\n|}", ""),
        ("A heading or a line without an end is not a paragraph", ""),
        (
            "== See also ==\nThis sentence is in a section of links.\n=== More ===\n"
            "This one is below it.\n== Life ==\nThis sentence is part of the article.",
            "This sentence is part of the article.",
        ),
        ("", ""),
    ],
)
def test_plain_text_of_wikitext(wikitext, expected):
    assert plain_text(wikitext) == expected


def test_missing_dump_error_names_gensim_version(tmp_path, monkeypatch):
    monkeypatch.setenv("GENAI_TUTORIAL_CACHE", str(tmp_path))
    monkeypatch.setattr(wikipedia, "DUMP", "elsewhere.bz2")
    with pytest.raises(
        FileNotFoundError,
        match=r"elsewhere.bz2 is not in the installed gensim: run pip install",
    ):
        load_wikipedia()


def test_dump_is_read_page_by_page(tmp_path):
    page = "<page><title>{}</title><ns>{}</ns>{}<revision><text>{}</text></revision></page>"  # noqa: E501
    pages = [
        ("A", 0, "", "one"),
        ("B", 0, '<redirect title="A"/>', "two"),
        ("Talk:A", 1, "", "three"),
        ("C", 0, "", ""),
    ]
    xml = '<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.10/">'
    xml += "".join(page.format(*values) for values in pages) + "</mediawiki>"
    (tmp_path / "dump.bz2").write_bytes(bz2.compress(xml.encode()))
    assert list(read_dump(tmp_path / "dump.bz2")) == [("A", "one"), ("C", "")]
