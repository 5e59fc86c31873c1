import re

import pytest

from genai_tutorial.data import Country, Fact, load_factbook, load_facts
from genai_tutorial.tasks.long_context import history_exam


def country(name, text):
    entries = {"Introduction > Background": text}
    return Country(name[:2], name, "africa", True, entries)


COUNTRIES = [
    country("Kenya", "Britain ruled it. It became independent in 1963."),
    country("Ghana", "It became independent in 1957."),
    country("Togo", "Germany ruled it."),
]
FACTS = [
    Fact("Kenya", "independence", "1963"),
    Fact("Ghana", "independence", "1957"),
    Fact("Togo", "independence", "1960"),
    Fact("Togo", "ruler", "Germany"),
]


def test_history_exam_asks_only_for_years_that_are_in_the_text():
    exam = history_exam(COUNTRIES, FACTS, histories=2, questions=2)
    assert set(exam.countries) == {"Kenya", "Ghana"}
    for question, place in zip(exam.questions, exam.right, strict=True):
        assert exam.countries[place] == question.country
        assert exam.histories[place].startswith(f"{question.country}: ")
        assert question.answer in exam.histories[place]
    with pytest.raises(ValueError, match="histories at most 2; got questions=1"):
        history_exam(COUNTRIES, FACTS, histories=3, questions=1)
    with pytest.raises(ValueError, match="got questions=2 and histories=1"):
        history_exam(COUNTRIES, FACTS, histories=1, questions=2)


def test_history_exam_of_the_factbook():
    exams = [
        history_exam(load_factbook(), load_facts(), seed=seed) for seed in (0, 0, 1)
    ]
    assert exams[0] == exams[1] != exams[2]
    for exam in exams[1:]:
        assert len(set(exam.countries)) == 8
        assert len({question.text for question in exam.questions}) == 4
        for question, place in zip(exam.questions, exam.right, strict=True):
            years = set(re.findall(r"\b1\d{3}\b", exam.histories[place]))
            assert question.answer in years
