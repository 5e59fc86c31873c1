"""Simulated raters: their preferences follow the formula, and tastes differ as set."""

import math
from dataclasses import replace
from itertools import combinations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from genai_tutorial.alignment import PreferencePair
from genai_tutorial.data import Fact, load_facts
from genai_tutorial.tasks.assistant import (
    GoldRule,
    Question,
    Rater,
    ask_facts,
    ask_invented,
    collect_comparisons,
    contrasting_answers,
    preference_probes,
    private_requests,
    random_raters,
    rater_agreement,
    split_by_question,
)
from genai_tutorial.tasks.assistant.questions import answer_sentence
from genai_tutorial.tasks.assistant.raters import TEMPERATURE

FACTS = load_facts()
RULE = GoldRule(FACTS)
KENYA = ask_facts([Fact("Kenya", "capital", "Nairobi")])[0]
LONG = "Nairobi, as everybody can read who looks for it, is the right answer to this."
POLITE = "Certainly, gladly, please: Nairobi."
UNSURE = "I do not know."


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def pairs_of_each_kind():
    """A good, a wrong and an unsure answer to forty questions about facts and forty
    about invented countries.
    """
    known = ask_facts(FACTS[::50], per_fact=1)[:40]
    invented = ask_invented(["Zelvania"], per_country=40)
    texts = [f"{question.answer}." for question in known]
    pairs = [(q, text, UNSURE) for q, text in zip(known, texts, strict=True)]
    pairs += [
        (q, text, other)
        for q, text, other in zip(known, texts, texts[1:] + texts[:1], strict=True)
    ]
    return pairs + [(question, "Nairobi, gladly.", UNSURE) for question in invented]


PAIRS = pairs_of_each_kind()


@pytest.mark.slow
def test_rater_preferences_among_many_answers_fit_one_scale():
    """The chi-square of all pairs of five answers against the formula, at once."""
    rater = Rater(RULE, length=0.2, politeness=0.1, certainty=-0.3, carelessness=0.1)
    answers = ["Nairobi", "Lima", POLITE, LONG, UNSURE]
    generator = torch.Generator().manual_seed(1)
    chi_square = 0.0
    for a, b in combinations(answers, 2):
        drawn = [rater.prefer(KENYA, a, b, generator) for _ in range(400)]
        difference = rater.utility(KENYA, a) - rater.utility(KENYA, b)
        p = 0.9 * sigmoid(difference / TEMPERATURE) + 0.05
        chi_square += (drawn.count((a, b)) - 400 * p) ** 2 / (400 * p * (1 - p))
    assert 1e-3 < stats.chi2.sf(chi_square, 10) < 1 - 1e-3


@given(
    st.sampled_from(PAIRS),
    st.floats(-1, 1),
    st.floats(-1, 1),
    st.floats(-1, 1),
    st.floats(0, 1),
)
def test_rater_probabilities_of_both_orders_add_up_to_one(
    pair, length, politeness, certainty, carelessness
):
    question, a, b = pair
    rater = Rater(RULE, length, politeness, certainty, carelessness)
    p = rater.probability(question, a, b)
    assert carelessness / 2 - 1e-12 <= p <= 1 - carelessness / 2 + 1e-12
    assert p + rater.probability(question, b, a) == pytest.approx(1)
    assert rater.probability(question, a, a) == 0.5


@pytest.mark.parametrize(
    ("taste", "liked", "value"),
    [
        ({"length": 0.5}, LONG, 0.5 * 15 / 10 - 0.5 * 1 / 10),
        ({"politeness": 0.5}, POLITE, 0.5 * 3 + 0.02),
        ({"certainty": -2}, UNSURE, 2 - 1.5),
    ],
)
def test_rater_taste_changes_the_utility_by_its_weight(taste, liked, value):
    plain, biased = Rater(RULE), Rater(RULE, **taste)
    assert biased.utility(KENYA, liked) - biased.utility(
        KENYA, "Nairobi"
    ) == pytest.approx(value)
    assert biased.probability(KENYA, liked, "Nairobi") > plain.probability(
        KENYA, liked, "Nairobi"
    )


def test_rater_taste_is_bounded():
    rater = Rater(RULE, length=1, politeness=1)
    assert rater.utility(KENYA, "thanks " * 1000) == rater.utility(
        KENYA, "thanks " * 100
    )
    assert rater.utility(KENYA, "thanks " * 60) - RULE.score(
        KENYA, "thanks " * 60
    ) == pytest.approx(6 + 10)


@pytest.mark.slow
def test_rater_agreement_matches_simulated_preferences():
    first, second = Rater(RULE), Rater(RULE, politeness=0.5, carelessness=0.2)
    generator = torch.Generator().manual_seed(0)
    tosses = [
        first.prefer(*pair, generator) == second.prefer(*pair, generator)
        for pair in PAIRS[::4]
        for _ in range(40)
    ]
    expected = rater_agreement(first, second, PAIRS[::4])
    # The pairs' own rates differ, which only narrows the binomial's interval.
    assert abs(sum(tosses) / len(tosses) - expected) < 4 * math.sqrt(0.25 / len(tosses))
    assert 0.5 < expected < 1


@pytest.mark.slow
def test_rater_agreement_falls_with_the_spread_of_tastes():
    def agree(factor):
        raters = [
            replace(
                rater,
                length=rater.length * factor,
                politeness=rater.politeness * factor,
                certainty=rater.certainty * factor,
            )
            for rater in random_raters(6, RULE, seed=0)
        ]
        rates = [rater_agreement(a, b, PAIRS[::3]) for a, b in combinations(raters, 2)]
        return sum(rates) / len(rates)

    alike, usual, divided = map(agree, (0, 1, 7.5))
    assert alike > usual > divided > 0.5
    # InstructGPT's labellers agreed with each other in 73% of comparisons.
    assert 0.7 < usual < 0.9


def test_rater_agreement_of_a_careless_rater_is_one_half():
    tosser = Rater(RULE, carelessness=1)
    assert rater_agreement(tosser, Rater(RULE), PAIRS) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="got none"):
        rater_agreement(tosser, tosser, [])


def test_random_raters_depend_on_the_seed_and_differ_in_taste():
    raters = random_raters(2000, RULE, seed=0)
    assert raters == random_raters(2000, RULE, seed=0)
    assert raters[:5] != random_raters(5, RULE, seed=1)
    for taste, deviation in (("length", 0.1), ("politeness", 0.2), ("certainty", 0.2)):
        values = torch.tensor([getattr(rater, taste) for rater in raters])
        # Standard errors: 1/45 of the deviation for the mean, 1/63 for the deviation.
        # Five of them.
        assert abs(values.mean()) < 5 * deviation / 45
        assert values.std() == pytest.approx(deviation, rel=5 / 63)


def test_collect_comparisons_keeps_to_the_budget_and_shows_every_pair_first():
    raters = random_raters(4, RULE, seed=0)
    for budget in (1, 50, len(PAIRS), 2 * len(PAIRS) + 7):
        comparisons = collect_comparisons(PAIRS, raters, budget, seed=0)
        assert len(comparisons) == budget
        shown = {}
        for one in comparisons:
            key = (one.question.text, frozenset([one.chosen, one.rejected]))
            shown[key] = shown.get(key, 0) + 1
        assert set(shown) <= {
            (question.text, frozenset([a, b])) for question, a, b in PAIRS
        }
        assert (
            max(shown.values())
            - (min(shown.values()) if len(shown) == len(PAIRS) else 0)
            <= 1
        )
    assert {one.rater for one in comparisons} == set(range(4))


@pytest.mark.slow
def test_collect_comparisons_follows_the_raters_preferences():
    """Over many comparisons of one pair, each rater chooses an answer as often as its
    probability predicts.
    """
    raters = [Rater(RULE), Rater(RULE, certainty=-2), Rater(RULE, carelessness=1)]
    comparisons = collect_comparisons(
        [(KENYA, "Nairobi", UNSURE)], raters, budget=3000, seed=0
    )
    for number, rater in enumerate(raters):
        mine = [one.chosen == "Nairobi" for one in comparisons if one.rater == number]
        assert abs(len(mine) - 1000) < 5 * math.sqrt(3000 * 2 / 9)
        assert (
            stats.binomtest(
                sum(mine), len(mine), rater.probability(KENYA, "Nairobi", UNSURE)
            ).pvalue
            > 1e-3
        )
    assert all({one.chosen, one.rejected} == {"Nairobi", UNSURE} for one in comparisons)


def test_contrasting_answers_decline_and_claim_only_without_an_answer():
    asked = [*ask_facts(FACTS[::97], per_fact=1), *ask_invented(["Zelvania"])[:5]]
    for question, answers in zip(
        asked, contrasting_answers(asked, FACTS, seed=0), strict=True
    ):
        types = [RULE.response_type(question, answer) for answer in answers]
        made_up = [] if question.kind == "known" else ["claims"]
        assert types == ["abstains", "refuses", *made_up]
    assert contrasting_answers(asked, FACTS, 0) == contrasting_answers(asked, FACTS, 0)
    assert contrasting_answers(asked, FACTS, 0) != contrasting_answers(asked, FACTS, 1)


def test_split_by_question_shares_no_question():
    comparisons = collect_comparisons(PAIRS, random_raters(3, RULE, seed=0), 240, 0)
    training, held_out = split_by_question(comparisons, 0.25, seed=0)
    assert sorted(map(str, training + held_out)) == sorted(map(str, comparisons))
    asked, apart = (
        {one.question.text for one in part} for part in (training, held_out)
    )
    assert not asked & apart
    assert len(apart) == round(0.25 * len(asked | apart))
    assert (training, held_out) == split_by_question(comparisons, 0.25, seed=0)
    assert (training, held_out) != split_by_question(comparisons, 0.25, seed=1)


@pytest.mark.parametrize("share", [0.0, 1.0, 0.001])
def test_split_by_question_needs_questions_on_both_sides(share):
    comparisons = collect_comparisons(PAIRS, [Rater(RULE)], 120, 0)
    with pytest.raises(ValueError, match="leaves one part empty"):
        split_by_question(comparisons, share)


def test_collect_comparisons_depends_on_the_seed():
    raters = random_raters(4, RULE, seed=0)
    first, again, other = (
        collect_comparisons(PAIRS, raters, 60, seed) for seed in (0, 0, 1)
    )
    assert first == again != other
    assert first[0].pair == PreferencePair(
        first[0].question.text, first[0].chosen, first[0].rejected
    )


@pytest.mark.parametrize(
    ("pairs", "raters", "budget"), [([], 1, 1), (PAIRS, 0, 1), (PAIRS, 1, 0)]
)
def test_collect_comparisons_needs_pairs_raters_and_a_budget(pairs, raters, budget):
    with pytest.raises(ValueError, match=f"got {len(pairs)}, {raters} and {budget}"):
        collect_comparisons(pairs, [Rater(RULE)] * raters, budget, seed=0)


def test_rater_accepts_any_string_as_an_answer():
    rater = Rater(RULE)
    question = Question("Who?", "private")
    for text in ("", " ", "\n", "🙂", "x" * 10_000, "\0"):
        assert 0 < rater.probability(question, text, "That is private.") < 1


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


def test_preference_probes_refuse_a_known_question_without_its_answer():
    with pytest.raises(ValueError, match="Only a question about a fact"):
        preference_probes(FACTS, [Question("Capital?", "known", "Kenya")])
