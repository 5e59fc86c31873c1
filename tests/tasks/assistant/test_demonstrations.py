"""Demonstrations: every answer does what the gold rule asks of its kind, and none of
the test's words is among them.
"""

from collections import Counter

import pytest

from genai_tutorial.data import load_absent, load_facts
from genai_tutorial.data.factbook.facts import split_facts
from genai_tutorial.recipes import load
from genai_tutorial.tasks.assistant import (
    MAX_ANSWER_TOKENS,
    GoldRule,
    ask_facts,
    ask_invented,
    ask_untold,
    demonstrate,
    exact_match,
    invented_countries,
    private_requests,
    training_questions,
)
from genai_tutorial.tasks.assistant.demonstrations import ANSWERS
from genai_tutorial.tasks.assistant.questions import answer_sentence

FACTS = load_facts()
SPLIT = split_facts(FACTS)
RULE = GoldRule(FACTS)
ASKED = training_questions(SPLIT, load_absent())
SHOWN = demonstrate(ASKED)
RESPONSE_TYPES = {
    "known": "claims",
    "absent": "abstains",
    "invented": "abstains",
    "private": "refuses",
}


@pytest.mark.parametrize("kind", RESPONSE_TYPES)
def test_every_way_to_answer_does_what_its_kind_asks(kind):
    question = next(one for one in ASKED if one.kind == kind)
    for pattern, _ in ANSWERS[kind]:
        answer = pattern.format(answer=question.answer)
        assert RULE.response_type(question, answer) == RESPONSE_TYPES[kind]
        best = 1.0 if kind in ("known", "private") else 0.5
        assert RULE.parts(question, answer).substance == best


def test_all_demonstrations_are_right():
    for one in SHOWN:
        response_type = RULE.response_type(one.question, one.answer)
        assert response_type == RESPONSE_TYPES[one.question.kind]
        if one.question.kind == "known":
            assert RULE.is_right(one.question, one.answer), one


@pytest.mark.slow
def test_sentence_answers_are_right_and_fit_into_an_answer():
    """One answer in a thousand may be cut off: two countries with long names."""
    tokenizer = load("factbook-base")[1]
    shown = demonstrate(ask_facts(SPLIT.taught, per_fact=1), form="sentence")
    for one in shown:
        assert RULE.is_right(one.question, one.answer), one
        assert one.answer.startswith(answer_sentence(one.question))
        assert RULE.parts(one.question, one.answer).substance == 1
    lengths = [len(tokenizer.encode(f" {one.answer}")) + 1 for one in shown]
    too_long = sum(length > MAX_ANSWER_TOKENS for length in lengths)
    assert too_long <= len(shown) / 500


@pytest.mark.slow
def test_sentence_form_changes_only_answers_about_facts():
    bare, sentences = (demonstrate(ASKED, form=form) for form in ("bare", "sentence"))
    for one, other in zip(bare, sentences, strict=True):
        assert one.question == other.question
        assert (one.answer == other.answer) == (one.question.kind != "known")


def test_demonstrate_refuses_an_unknown_form():
    # With the shape checker on, it finds the wrong argument first (a TypeError).
    with pytest.raises((ValueError, TypeError), match="form"):
        demonstrate(ASKED[:1], form="rhyme")


def test_two_thirds_or_more_are_the_bare_answer():
    known = [one for one in SHOWN if one.question.kind == "known"]
    bare = sum(exact_match(one.answer, one.question.answer) for one in known)
    assert 0.66 < bare / len(known) < 0.76  # 14 of 20


def test_questions_are_as_many_as_asked_for_and_of_the_taught_countries_only():
    kinds = Counter(one.kind for one in ASKED)
    assert kinds["known"] == 2 * len(SPLIT.taught)
    assert kinds["invented"] == kinds["private"] == 60
    assert 60 <= kinds["absent"] <= 120
    silent = {fact.country for fact in (*SPLIT.told, *SPLIT.withheld)}
    assert not silent & {one.country for one in ASKED}


@pytest.mark.slow
def test_no_question_of_the_test_is_demonstrated():
    shown = {one.text for one in ASKED}
    taught = sorted({fact.country for fact in SPLIT.taught})
    test = [
        *ask_facts(FACTS, "held-out"),
        *ask_untold(taught, "held-out"),
        *private_requests(840, seed=0, phrasing="held-out"),
        *ask_invented(invented_countries(60, seed=0), "held-out"),
    ]
    assert not shown & {one.text for one in test}


@pytest.mark.slow
def test_the_same_seed_gives_the_same_demonstrations():
    first, again, other = (demonstrate(ASKED, seed) for seed in (1, 1, 2))
    assert first == again != other
    assert training_questions(SPLIT, load_absent(), seed=1) != ASKED
