"""Sentences, questions and splits: a held-out number means what it says only if nothing
leaks.
"""

import re
from itertools import combinations
from string import Formatter
from typing import get_args

import pytest

from genai_tutorial.data import Fact, Relation, load_absent, load_facts
from genai_tutorial.data.factbook.facts import split_facts
from genai_tutorial.tasks.assistant import (
    HELD_OUT_FRAMES,
    ask_facts,
    ask_untold,
    fact_questions,
    fact_sentences,
    private_requests,
    tell_facts,
)
from genai_tutorial.tasks.assistant.questions import WORDINGS, ask_absent
from genai_tutorial.tasks.assistant.unanswerable import TOPICS, near_misses

FACTS = load_facts()
SPLIT = split_facts(FACTS)
PARTS = (SPLIT.taught, SPLIT.told, SPLIT.new_relations, SPLIT.withheld)
ASKED = ask_facts(FACTS)
ANSWERS = {(fact.country, fact.relation): fact.answer for fact in FACTS}
KENYA = [
    Fact("Kenya", "capital", "Nairobi"),
    Fact("Kenya", "domain", ".ke"),
    Fact("Kenya", "export", "tea"),
]


def countries(facts):
    return {fact.country for fact in facts}


def names(text, country):
    return re.search(rf"\b{re.escape(country)}\b", text) is not None


def test_every_relation_has_its_words():
    assert set(WORDINGS) == set(get_args(Relation))


@pytest.mark.parametrize("relation", get_args(Relation))
def test_patterns_have_the_right_places(relation):
    wording = WORDINGS[relation]

    def places(pattern):
        return sorted(name for _, name, _, _ in Formatter().parse(pattern) if name)

    questions = [text for texts in wording.questions.values() for text in texts]
    for pattern in (wording.noun, *questions):
        assert places(pattern) == ["country"]
    for pattern in wording.sentences:
        assert places(pattern) == ["answer", "country"]
    assert all(pattern.endswith("?") for pattern in questions)


def test_every_answer_and_every_country_is_found_in_each_sentence():
    for fact in FACTS:
        told = fact_sentences(fact)
        assert len(set(told)) == 4
        # as a sentence begins with it
        answer = fact.answer[0].upper() + fact.answer[1:]
        for sentence in told:
            assert names(sentence, fact.country), sentence
            assert re.search(
                rf"(?<!\w)({re.escape(fact.answer)}|^{re.escape(answer)})(?!\w)",
                sentence,
            ), (fact, sentence)


def test_no_question_gives_its_answer_away():
    """But for names that say it themselves: 21 of 2,238, such as the capital of
    Djibouti.
    """
    giving = {(q.country, q.relation) for q in ASKED if names(q.text, q.answer)}
    assert len(giving) == 21
    assert all(ANSWERS[pair] in pair[0] for pair in giving)


def test_sentences_begin_with_a_capital_letter_and_end_with_one_point():
    for sentence in (s for fact in FACTS for s in fact_sentences(fact)):
        assert not sentence[0].islower()
        assert not re.search(r"[{}]|  |\.\.$| the the ", sentence)


def test_eight_phrasings_are_trained_and_three_held_out():
    asked = {
        phrasing: [fact_questions(r, "Kenya", phrasing) for r in get_args(Relation)]
        for phrasing in ("trained", "held-out")
    }
    assert {len(set(texts)) for texts in asked["trained"]} == {8}
    assert {len(set(texts)) for texts in asked["held-out"]} == {3}
    # No wording is in two relations or in both phrasings.
    everything = [text for parts in asked.values() for part in parts for text in part]
    assert len(set(everything)) == len(everything) == 14 * 11


def test_held_out_phrasings_are_new_words_and_not_a_trained_one_with_a_word_more():
    """Of each held-out question, no run of words up to the noun phrase or the country
    begins a trained question.
    """
    trained = [
        text
        for relation in get_args(Relation)
        for text in fact_questions(relation, "Kenya", "trained")
    ]
    for relation in get_args(Relation):
        noun = set(WORDINGS[relation].noun.format(country="Kenya").lower().split())
        for text in fact_questions(relation, "Kenya", "held-out"):
            words = set(re.findall(r"\w+", text.lower()))
            for other in trained:
                there = set(re.findall(r"\w+", other.lower()))
                if noun <= words:
                    # a frame: at least one word of its own
                    assert words - there, (text, other)
                else:
                    assert len(words & there) / len(words | there) < 0.75, (text, other)


def test_held_out_frames_begin_as_no_trained_question_does():
    beginnings = {frame.split("{")[0] for frame in HELD_OUT_FRAMES}
    trained = [
        text
        for fact in FACTS[:300]
        for text in fact_questions(fact.relation, fact.country, "trained")
    ]
    assert not [text for text in trained if text.startswith(tuple(beginnings))]


def test_the_parts_of_a_split_are_disjoint_and_whole():
    for one, other in combinations(PARTS, 2):
        assert not set(one) & set(other)
    assert {*SPLIT.all_told, *SPLIT.withheld} == set(FACTS)
    assert {*SPLIT.taught, *SPLIT.told, *SPLIT.new_relations} == set(SPLIT.all_told)
    assert [
        len(countries(part)) for part in (SPLIT.taught, SPLIT.told, SPLIT.withheld)
    ] == [137, 39, 20]
    assert [len(part) for part in PARTS] == [1425, 392, 198, 223]


@pytest.mark.parametrize("seed", range(5))
def test_no_country_is_on_two_sides(seed):
    split = split_facts(FACTS, seed)
    taught, told, withheld = map(countries, (split.taught, split.told, split.withheld))
    assert not taught & told
    assert not (taught | told) & withheld
    assert countries(split.new_relations) <= taught | told
    assert taught | told | withheld == countries(FACTS)


@pytest.mark.parametrize("seed", range(20))
def test_no_fact_that_is_told_or_asked_has_a_held_out_country_as_its_answer(seed):
    split = split_facts(FACTS, seed)
    quiet = countries(split.told) | countries(split.withheld)
    assert not quiet & {
        fact.answer
        for fact in FACTS
        if fact.relation in ("neighbour", "buyer", "ruler")
    }


@pytest.mark.slow
def test_withheld_countries_are_never_named():
    text = "\n".join(tell_facts(SPLIT.all_told, copies=4)) + "\n".join(
        q.text for q in ask_facts(SPLIT.taught)
    )
    for country in countries(SPLIT.withheld):
        # Guinea and Samoa are words of other countries' names as well.
        others = "|".join(
            re.escape(other)
            for other in countries(FACTS)
            if country in other and other != country
        )
        assert not names(re.sub(others, "", text) if others else text, country)
    # so that the line above can fail
    assert names(text, sorted(countries(SPLIT.told))[0])


def test_held_out_relations_are_told_and_never_asked():
    assert {fact.relation for fact in SPLIT.new_relations} == {"language", "symbol"}
    asked = " ".join(q.text for q in ask_facts(SPLIT.taught[:300])).lower()
    assert not re.search("language|symbol|emblem|nation\\b", asked)
    told = " ".join(tell_facts(SPLIT.new_relations))
    assert "official language" in told or "laws of" in told


def test_a_split_depends_on_the_seed_alone():
    assert split_facts(FACTS, 3) == split_facts(FACTS, 3) != split_facts(FACTS, 4)


def test_questions_know_their_answers():
    asked = ask_facts(KENYA)
    assert len(asked) == 3 * 8
    assert {(q.country, q.relation, q.answer) for q in asked} == {
        (f.country, f.relation, f.answer) for f in KENYA
    }
    assert all(
        question.kind == "known" and "Kenya" in question.text for question in asked
    )
    assert len({question.text for question in ASKED}) == 8 * len(FACTS)


@pytest.mark.slow
def test_drawn_phrasings_are_different_and_depend_on_the_seed():
    some = ask_facts(FACTS, per_fact=3, seed=1)
    assert len(some) == len({q.text for q in some}) == 3 * len(FACTS)
    assert set(some) < set(ASKED)
    again, other = (ask_facts(FACTS[:30], per_fact=3, seed=seed) for seed in (1, 2))
    assert some[:90] == again != other
    # Every phrasing is drawn about as often: binomial with mean 839 and standard
    # deviation 23, five of them.
    drawn = {question.text for question in some}
    for place in range(8):
        count = sum(question.text in drawn for question in ASKED[place::8])
        assert abs(count - 3 / 8 * len(FACTS)) < 115


@pytest.mark.parametrize("per_fact", [0, 9])
def test_there_are_not_so_many_phrasings(per_fact):
    with pytest.raises(
        ValueError, match=f"There are 8 phrasings to draw from, got {per_fact}"
    ):
        ask_facts(KENYA, per_fact=per_fact)


def test_what_there_is_not_is_asked_for_in_the_same_words():
    asked = ask_absent(load_absent())
    assert len(asked) == 48 * 8
    assert all(
        question.kind == "absent" and question.answer is None for question in asked
    )
    iceland = [question.text for question in asked if question.country == "Iceland"]
    assert tuple(iceland) == fact_questions("neighbour", "Iceland", "trained")
    assert not {q.text for q in asked} & {q.text for q in ASKED}


def test_paragraphs_tell_every_fact_in_every_wording():
    paragraphs = tell_facts(KENYA, copies=4)
    assert len(paragraphs) == 4
    for fact in KENYA:
        assert all(
            sum(sentence in text for text in paragraphs) == 1
            for sentence in fact_sentences(fact)
        )


def test_paragraphs_keep_countries_apart_and_differ():
    paragraphs = tell_facts(SPLIT.all_told, copies=2)
    assert len(paragraphs) == 2 * 176
    told = [fact for fact in SPLIT.all_told if fact.country == "Kenya"]
    about_kenya = [
        text
        for text in paragraphs
        if all(any(s in text for s in fact_sentences(f)) for f in told)
    ]
    assert len(about_kenya) == 2
    assert about_kenya[0] != about_kenya[1]


@pytest.mark.parametrize(
    "ask",
    [
        lambda phrasing: fact_questions("capital", "Kenya", phrasing),
        lambda phrasing: ask_untold(["Kenya"], phrasing),
        lambda phrasing: private_requests(1, 0, phrasing),
    ],
)
def test_an_unknown_phrasing_is_refused(ask, unchecked):
    with pytest.raises(ValueError, match="'trained', 'held-out', got 'new'"):
        ask("new")


def test_near_misses_are_true_questions_in_other_words():
    trained, held_out = near_misses(FACTS), near_misses(FACTS, "held-out")
    assert len(trained) == len(held_out) > 900
    known = {question.text for question in ASKED + ask_facts(FACTS, "held-out")}
    assert not {q.text for q in trained} & {q.text for q in held_out}
    assert not {q.text for q in trained + held_out} & known
    assert all(
        q.kind == "known" and q.answer == ANSWERS[q.country, q.relation]
        for q in trained + held_out
    )


def test_topics_are_told_nowhere():
    text = " ".join(
        sentence for fact in FACTS for sentence in fact_sentences(fact)
    ).lower()
    for topic in TOPICS["trained"] + TOPICS["held-out"]:
        assert topic.split(" {")[0].rsplit(" ", 1)[0] not in text
    assert not set(TOPICS["trained"]) & set(TOPICS["held-out"])
