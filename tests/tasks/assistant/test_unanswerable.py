"""Invented countries, untold topics, private requests and near misses."""

import re
from collections import Counter
from typing import get_args

import pytest

from genai_tutorial.data import (
    UNASKED_RELATIONS,
    Relation,
    load_absent,
    load_factbook,
    load_facts,
    load_wikipedia,
)
from genai_tutorial.data.factbook.facts import split_facts
from genai_tutorial.tasks.assistant import (
    HELD_OUT_FRAMES,
    Question,
    ask_invented,
    ask_untold,
    fact_questions,
    invented_countries,
    mixed_questions,
    private_requests,
    training_questions,
)
from genai_tutorial.tasks.assistant.unanswerable import SHARES, near_misses

COUNTRIES = load_factbook()
INVENTED = invented_countries(400, seed=0)
ASKED = [
    relation for relation in get_args(Relation) if relation not in UNASKED_RELATIONS
]


def own_word(name):
    """The invented word of a name: not North, Saint, New or Islands."""
    (word,) = [
        word
        for word in name.split()
        if word not in ("North", "Saint", "New", "Islands")
    ]
    return word


def edits(one, other):
    """Levenshtein's distance, the slow and obvious way."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, start=1):
        row, before = [i], row
        for j, b in enumerate(other, start=1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (a != b)))
    return row[-1]


def test_invented_countries_share_no_name_with_real_ones():
    real = {name.lower() for country in COUNTRIES for name in country.names}
    words = {word for name in real for word in re.findall(r"\w+", name)}
    assert len(INVENTED) == len(set(INVENTED)) == 400
    assert not {name.lower() for name in INVENTED} & real
    assert not {own_word(name).lower() for name in INVENTED} & words


@pytest.mark.slow
def test_invented_countries_differ_from_factbook_names_by_more_than_a_letter():
    real = {
        word.lower()
        for country in COUNTRIES
        for name in country.names
        for word in re.findall(r"\w{4,}", name)
    }
    for name in INVENTED[:100]:
        word = own_word(name).lower()
        assert (
            min(edits(word, other) for other in real if abs(len(other) - len(word)) < 2)
            >= 2
        ), name


@pytest.mark.slow
def test_invented_countries_appear_in_neither_factbook_nor_wikipedia():
    texts = [text for country in COUNTRIES for text in country.entries.values()]
    known = set(re.findall(r"\w+", " ".join([*texts, load_wikipedia().text]).lower()))
    assert {"zanzibar", "nairobi"} <= known
    assert not {own_word(name).lower() for name in INVENTED} & known


def test_invented_countries_exclude_countries_of_fiction():
    many = {
        own_word(name) for seed in range(3) for name in invented_countries(300, seed)
    }
    assert not many & {"Freedonia", "Genovia", "Latveria", "Sokovia", "Wakanda"}


def test_invented_countries_resemble_real_names():
    """Same endings, same lengths: else a model learns to tell them apart by a glance,
    not by what it knows.
    """
    real = [country.name for country in COUNTRIES if country.independent]
    last, ours = (
        Counter(name[-1] for name in names if " " not in name)
        for names in (real, INVENTED)
    )
    apart = sum(
        abs(last[letter] / last.total() - ours[letter] / ours.total())
        for letter in last | ours
    )
    # half of it is the total variation: how often a guess from the last letter is
    # better than a coin
    assert apart / 2 < 0.25
    assert abs(sum(map(len, INVENTED)) / 400 - sum(map(len, real)) / len(real)) < 1.5
    assert 0.1 < sum(" " in name for name in INVENTED) / 400 < 0.3


def test_invented_countries_depend_on_the_seed_and_not_on_the_number():
    assert invented_countries(50, seed=0) == INVENTED[:50]
    assert not set(invented_countries(50, seed=1)) & set(INVENTED[:50])


def test_ask_invented_uses_the_phrasings_of_real_countries():
    for phrasing, count in (("trained", 8), ("held-out", 3)):
        asked = ask_invented(INVENTED[:3], phrasing)
        assert (
            len(asked) == len({question.text for question in asked}) == 3 * 12 * count
        )
        for question in asked:
            assert question.kind == "invented"
            assert question.answer is None
            assert question.text in fact_questions(
                question.relation, question.country, phrasing
            )
        assert {question.relation for question in asked} == set(ASKED)


def test_ask_invented_depends_on_the_seed():
    ten = INVENTED[:10]
    some = ask_invented(ten, per_country=2, seed=1)
    assert [question.country for question in some] == [
        name for name in ten for _ in range(2)
    ]
    again, other = (ask_invented(ten, per_country=2, seed=seed) for seed in (1, 2))
    assert some == again != other
    with pytest.raises(ValueError, match="There are 96 phrasings to draw from, got 97"):
        ask_invented(INVENTED[:1], per_country=97)


def test_ask_untold_asks_about_real_countries():
    trained, held_out = (
        ask_untold(["Kenya", "Gambia"], topics) for topics in ("trained", "held-out")
    )
    assert (len(trained), len(held_out)) == (2 * 6 * 6, 2 * 4 * 6)
    assert all(one.kind == "absent" and one.answer is None for one in trained)
    texts, held_out_texts = ({one.text for one in part} for part in (trained, held_out))
    assert not texts & held_out_texts
    assert "Name the oldest bakery in the Gambia." in texts
    assert len(ask_untold(["Kenya"], per_country=2, seed=3)) == 2


def test_private_requests_of_training_and_test_share_no_names_or_phrasings():
    trained = [question.text for question in private_requests(6300, seed=0)]
    held_out = [
        question.text for question in private_requests(840, seed=0, phrasing="held-out")
    ]
    assert len(set(trained)) == 6300
    assert len(set(held_out)) == 840
    people = [
        set(re.findall(r"[A-Z][a-z]+ ([A-Z][\w-]+)", " ".join(texts)))
        for texts in (trained, held_out)
    ]
    assert len(people[0]) >= 10
    assert len(people[1]) >= 6
    assert not people[0] & people[1]
    wanted = [
        set(re.findall(r"the ([a-z ]+) of", " ".join(texts)))
        for texts in (trained, held_out)
    ]
    assert {"home address", "phone number"} <= wanted[0]
    assert {"passport number", "door code"} <= wanted[1]
    assert not wanted[0] & wanted[1]
    beginnings = [frame.split("{")[0] for frame in HELD_OUT_FRAMES]
    assert not [text for text in trained if text.startswith(tuple(beginnings))]


def test_private_requests_ask_for_no_fact():
    facts = load_facts()
    known = {
        question.text
        for question in near_misses(facts) + near_misses(facts, "held-out")
    }
    for question in private_requests(500, seed=1):
        assert question == Question(question.text, "private")
        assert question.text not in known


def test_private_requests_depend_on_the_seed():
    assert private_requests(20, seed=0) == private_requests(50, seed=0)[:20]
    assert private_requests(20, seed=0) != private_requests(20, seed=1)


@pytest.mark.parametrize(
    ("n", "phrasing", "most"), [(0, "trained", "6,300"), (841, "held-out", "840")]
)
def test_private_requests_number_is_validated(n, phrasing, most):
    with pytest.raises(ValueError, match=f"n must be from 1 to {most}, got {n}"):
        private_requests(n, seed=0, phrasing=phrasing)


def test_near_misses_share_words_with_private_requests():
    """More like them than questions about countries are: they share words with the
    refused class on purpose.
    """

    def words(text):
        return set(re.findall(r"\w+", text.lower()))

    refused = words(" ".join(one.text for one in private_requests(6300, seed=0)))
    telling = refused & {"live", "home", "address", "number", "birth", "find", "person"}
    for phrasing in ("trained", "held-out"):
        asked = near_misses(load_facts(), phrasing)
        assert sum(bool(words(one.text) & telling) for one in asked) > 0.6 * len(asked)


SPLIT, ABSENT = split_facts(load_facts()), load_absent()
TRAINED, HELD_OUT = (
    mixed_questions(SPLIT, ABSENT, 480, phrasing)
    for phrasing in ("trained", "held-out")
)
KINDS = {
    "facts": "known",
    "invented": "invented",
    "untold": "absent",
    "absent": "absent",
    "private": "private",
    "near misses": "known",
}


@pytest.mark.parametrize("drawn", [TRAINED, HELD_OUT], ids=["trained", "held-out"])
def test_mixed_questions_each_category_has_its_share_and_its_kind(drawn):
    assert {category: len(asked) for category, asked in drawn.items()} == {
        category: 20 * share for category, share in SHARES.items()
    }
    for category, asked in drawn.items():
        assert {one.kind for one in asked} == {KINDS[category]}
        assert len({one.text for one in asked}) == len(asked)


def test_mixed_questions_of_training_and_test_share_nothing():
    texts = [
        {one.text for asked in drawn.values() for one in asked}
        for drawn in (TRAINED, HELD_OUT)
    ]
    assert not texts[0] & texts[1]
    names = [
        {one.country for one in drawn["invented"]} for drawn in (TRAINED, HELD_OUT)
    ]
    shown = {
        one.country
        for one in training_questions(SPLIT, ABSENT)
        if one.kind == "invented"
    }
    assert not names[0] & names[1]
    assert not shown & names[1]


def test_mixed_questions_of_training_are_about_taught_countries_only():
    taught, told = (
        {fact.country for fact in part} for part in (SPLIT.taught, SPLIT.told)
    )
    asked = {
        one.country
        for category in ("facts", "untold", "absent", "near misses")
        for one in TRAINED[category]
    }
    assert asked <= taught
    assert {one.country for one in HELD_OUT["facts"]} & told


@pytest.mark.slow
def test_mixed_questions_depend_on_the_seed():
    others = mixed_questions(SPLIT, ABSENT, 480, seed=1)
    assert all(others[category] != TRAINED[category] for category in SHARES)
    assert mixed_questions(SPLIT, ABSENT, 480) == TRAINED
