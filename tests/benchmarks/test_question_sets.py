import pytest

from benchmarks.question_sets import (
    capital_prompts,
    code_questions,
    inverse_cloze,
    natural_questions,
    reverse_questions,
)
from genai_tutorial.data import Articles
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
