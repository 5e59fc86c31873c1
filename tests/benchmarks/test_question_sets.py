import pytest

from benchmarks.question_sets import (
    capital_prompts,
    code_questions,
    first_plan,
    inverse_cloze,
    mirrored_questions,
    natural_questions,
    plain_passage,
    replace_words,
    reverse_questions,
    second_plan,
    shared_words,
    two_hop_questions,
)
from genai_tutorial.data import Articles, Fact, load_facts
from genai_tutorial.tasks.assistant import normalize_answer
from tests.tasks.search_questions.test_library import FACTS

ARTICLES = Articles(
    ("Birds", "Stones"),
    (
        "Birds fly. They sing in May. Some swim. Few do both.\n\nToo short. Really.",
        "Stones lie. They are old. Some shine. None of them fly.",
    ),
)


@pytest.mark.parametrize("make", [code_questions, reverse_questions])
def test_right_passage_states_what_the_question_names(make):
    task = make(FACTS, 2, seed=1)
    for question, right in zip(task.questions, task.right, strict=True):
        (place,) = right
        assert FACTS[place].answer in question
        assert FACTS[place].country not in question
        assert FACTS[place].answer in task.texts[place]


def test_natural_questions_avoid_the_words_of_the_passage():
    task = natural_questions(FACTS, len(FACTS))
    assert sorted(min(right) for right in task.right) == list(range(len(FACTS)))
    for question, right in zip(task.questions, task.right, strict=True):
        (place,) = right
        assert FACTS[place].country in question
        assert task.texts[place].partition(" is ")[0] not in question


def test_questions_are_drawn_by_seed():
    first, second, third = (natural_questions(FACTS, 4, seed) for seed in (0, 0, 1))
    assert first.questions == second.questions != third.questions


def test_inverse_cloze_takes_a_sentence_out_of_its_paragraph():
    task = inverse_cloze(ARTICLES, passages=2, count=2, seed=0)
    originals = [text for article in ARTICLES.texts for text in article.split("\n\n")]
    for question, right in zip(task.questions, task.right, strict=True):
        (place,) = right
        passage = task.texts[place]
        assert question not in passage
        assert "  " not in passage
        whole = next(text for text in originals if question in text)
        assert all(word in whole for word in passage.split())
        assert not whole.startswith(question)


@pytest.mark.slow
def test_capital_prompts_end_before_the_capital():
    prompts = capital_prompts(FACTS, real=3, invented=2, seed=0)
    assert {prompt.capital for prompt in prompts[:3]} == {"Nairobi", "Lima", "Bamako"}
    for prompt in prompts:
        assert prompt.text.endswith(f"The capital of {prompt.country} is")
    real, invented = prompts[0], prompts[-1]
    assert real.is_right(f" {real.capital}.\nThe capital of")
    assert not real.is_right(" Cusco.")
    assert not invented.is_right(" Lima.")


def test_mirrored_questions_have_another_passage_of_the_same_words():
    facts = load_facts()
    asked = mirrored_questions(facts, 14, seed=1)
    of = {(fact.country, fact.relation): fact for fact in facts}
    for question, other in asked:
        own = of[question.country, "neighbour"]
        assert (own.answer, own.country) == (other.country, other.answer)
        words = [
            sorted(normalize_answer(plain_passage(fact)).split())
            for fact in (own, other)
        ]
        assert words[0] == words[1]


def test_shared_words_of_passages_with_the_same_words_are_equal():
    passages = ["Spain borders Peru.", "Peru borders Spain."]
    scores = shared_words("What borders Spain?", "Spain borders Peru.", passages)
    assert scores["overlap"] == [1, 1]
    assert scores["new words"] == [1, 1]
    assert scores["longest run"] == [3, 1]


def test_two_hop_question_names_neither_the_middle_nor_the_answer():
    facts = load_facts()
    of = {(fact.country, fact.relation): fact for fact in facts}
    for item in two_hop_questions(facts, 200, seed=2):
        first, second = item.facts
        assert second == of[first.answer, second.relation]
        assert item.question.answer == second.answer
        assert first.country in item.question.text
        assert item.first_question.removeprefix("What is ") in item.question.text
        asked = item.second_question(plain_passage(first))
        if normalize_answer(first.answer) not in normalize_answer(first.country):
            assert normalize_answer(first.answer) in normalize_answer(asked)
            assert "border" not in asked
            assert "buyer" not in asked


def test_two_hop_questions_are_drawn_by_seed():
    facts = load_facts()
    first, second, third = (two_hop_questions(facts, 5, seed) for seed in (0, 0, 1))
    assert first == second != third


def test_two_hop_question_without_a_country_in_the_text_asks_for_nothing():
    facts = [Fact("Kenya", "buyer", "Mali"), Fact("Mali", "capital", "Bamako")]
    [item] = two_hop_questions(facts, 1)
    assert item.second_question("No country here.") == "What is the capital of ?"
    assert item.about_the_first == ""


def test_replaced_words_are_those_that_one_text_alone_has():
    changed = replace_words("The capital of the buyer?", "The buyer is Peru.")
    assert changed == "capital of is peru"


def test_plans_end_where_the_model_begins():
    assert first_plan("Who?").endswith("Question: Who?\nFirst find out:")
    assert second_plan("Who?", "He.").endswith("Found: He.\nNext question:")
