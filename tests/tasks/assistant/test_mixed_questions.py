"""The mix of questions: training and test share no phrasings, names or countries."""

import pytest

from genai_tutorial.data import load_absent, load_facts
from genai_tutorial.data.factbook.facts import split_facts
from genai_tutorial.tasks.assistant import mixed_questions, training_questions
from genai_tutorial.tasks.assistant.unanswerable import SHARES

SPLIT, ABSENT = split_facts(load_facts()), load_absent()
TRAINED, HELD_OUT = (
    mixed_questions(SPLIT, ABSENT, 480, phrasing)
    for phrasing in ("trained", "held-out")
)
KINDS = {"facts": "known", "invented": "invented", "untold": "absent", "absent": (
    "absent"
), "private": (
    "private"
),
         "near misses": "known"}  # fmt: skip


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
