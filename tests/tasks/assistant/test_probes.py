"""Probes of a reward model: the gold rule prefers the better answer of each pair."""

from dataclasses import replace

import pytest

from genai_tutorial.data import load_facts
from genai_tutorial.tasks.assistant import (
    GoldRule,
    Question,
    ask_facts,
    ask_invented,
    preference_probes,
    private_requests,
)
from genai_tutorial.tasks.assistant.questions import answer_sentence

FACTS = load_facts()
RULE = GoldRule(FACTS)
QUESTIONS = (
    *ask_facts(FACTS[::100], per_fact=1),
    *ask_invented(["Zelvania"], per_country=10),
    *private_requests(10, seed=0),
)
QUESTION_OF = {question.text: question for question in QUESTIONS}
PROBES = preference_probes(FACTS, QUESTIONS)


@pytest.mark.parametrize("name", PROBES)
def test_preference_probes_chosen_has_the_higher_gold_score(name):
    assert PROBES[name]
    for pair in PROBES[name]:
        question = QUESTION_OF[pair.prompt]
        chosen = RULE.score(question, pair.chosen)
        assert chosen > RULE.score(question, pair.rejected)


def test_preference_probes_have_one_pair_per_question_of_their_kind():
    counts = {name.partition(":")[0]: len(pairs) for name, pairs in PROBES.items()}
    known = sum(question.kind == "known" for question in QUESTIONS)
    assert counts == {"real": known, "invented": 10, "private": 10}


def test_preference_probes_wrong_answers_are_of_the_same_relation():
    for pair in PROBES["real: right fact or wrong fact"]:
        question = QUESTION_OF[pair.prompt]
        sentences = {
            f"{answer_sentence(replace(question, answer=fact.answer))}."
            for fact in FACTS
            if fact.relation == question.relation
        }
        assert {pair.chosen, pair.rejected} <= sentences
        assert pair.chosen != pair.rejected


def test_preference_probes_depend_on_the_seed():
    assert preference_probes(FACTS, QUESTIONS) == PROBES
    assert preference_probes(FACTS, QUESTIONS, seed=1) != PROBES


def test_preference_probes_use_the_sentences_that_they_are_given():
    probes = preference_probes(FACTS, QUESTIONS, "No idea.", "That is private.")
    pair = probes["private: refusing or not knowing"][0]
    assert (pair.chosen, pair.rejected) == ("That is private.", "No idea.")


def test_preference_probes_refuse_a_known_question_without_its_answer():
    with pytest.raises(ValueError, match="Only a question about a fact"):
        preference_probes(FACTS, [Question("Capital?", "known", "Kenya")])
