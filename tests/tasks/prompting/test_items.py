"""The tasks themselves: sizes, right answers, and no overlap between items and pool."""

import json
import operator
import re

import pytest

from genai_tutorial.tasks.prompting import (
    ANIMAL_OR_FRUIT,
    ANTONYMS,
    INVENTED_LABELS,
    JSON_FACTS,
    PAST_TENSE,
    PAST_TENSE_FORMATS,
    PROMPT_TASKS,
    SENTIMENT,
    TWO_DIGIT_SUMS,
    WORD_PROBLEMS,
    Prompt,
    first_line,
)
from genai_tutorial.tasks.prompting.items import (
    CAPITALS,
    LETTER_PATTERNS,
    ONE_DIGIT_SUMS,
)

each_task = pytest.mark.parametrize("task", PROMPT_TASKS, ids=lambda task: task.name)


@each_task
def test_task_has_fifty_items_and_a_separate_pool(task):
    assert 48 <= len(task.items) <= 60
    assert len(task.pool) == 24
    questions = [example.question.lower() for example in (*task.items, *task.pool)]
    assert len(set(questions)) == len(questions)
    assert len({task.name for task in PROMPT_TASKS}) == len(PROMPT_TASKS)


@pytest.mark.parametrize(
    "task", [PAST_TENSE, ANTONYMS, CAPITALS], ids=lambda task: task.name
)
def test_task_demonstrations_share_no_words_with_items(task):
    """No demonstration asks or answers with a word of a test item."""
    asked, shown = (
        {word for one in part for word in (one.question, one.answer, *one.also)}
        for part in (task.items, task.pool)
    )
    assert not asked & shown


@each_task
def test_task_judge_accepts_the_answer_and_no_other_items(task):
    item, other = task.items[0], task.items[1]
    for example in (*task.items, *task.pool):
        assert task.judge(f" {example.answer}\n", example).strict
        if example.worked:
            assert task.judge(example.worked, example).strict
    assert other.answer not in (item.answer, *item.also)
    assert not task.judge(other.answer, item).lenient


@each_task
def test_task_demonstrations_are_drawn_from_the_pool(task):
    drawn = task.prompt(8, seed=1).demonstrations
    assert set(drawn) <= set(task.pool)
    assert len(set(drawn)) == 8
    assert drawn[:4] == task.prompt(4, seed=1).demonstrations
    assert drawn != task.prompt(8, seed=2).demonstrations
    ending = task.template.partition("{answer}")[0].replace("{question}", "x").rstrip()
    assert task.prompt(0).render("x").endswith(ending)


@pytest.mark.parametrize(
    "task", [ANIMAL_OR_FRUIT, INVENTED_LABELS, SENTIMENT], ids=lambda task: task.name
)
def test_choice_tasks_are_balanced(task):
    assert len(task.labels) == 2
    for examples in (task.items, task.pool):
        answers = [example.answer for example in examples]
        assert answers == list(task.labels) * (len(examples) // 2)


def test_invented_labels_are_the_same_groups_renamed():
    names = {"animal": "blix", "fruit": "zorp"}
    real = [(item.question, names[item.answer]) for item in ANIMAL_OR_FRUIT.items]
    assert real == [(item.question, item.answer) for item in INVENTED_LABELS.items]


@pytest.mark.parametrize("task", [ONE_DIGIT_SUMS, TWO_DIGIT_SUMS], ids=lambda t: t.name)
def test_sums_are_right(task):
    for example in (*task.items, *task.pool):
        a, b = example.question.split(" + ")
        assert int(a) + int(b) == int(example.answer)


@pytest.mark.parametrize("task", [WORD_PROBLEMS, TWO_DIGIT_SUMS], ids=lambda t: t.name)
def test_worked_demonstrations_lead_to_their_answers(task):
    """Every equation in them holds, and the marker stands before the answer."""
    sides = re.compile(r"(\d+(?: [-+*] \d+)+) = (\d+)")
    signs = {"+": operator.add, "-": operator.sub, "*": operator.mul}
    for example in (*task.items, *task.pool):
        assert first_line(example.worked) == example.answer
        equations = sides.findall(example.worked)
        assert len(equations) == 2
        for left, right in equations:
            first, *rest = left.split()
            value = int(first)
            for sign, number in zip(rest[::2], rest[1::2], strict=True):
                value = signs[sign](value, int(number))
            assert value == int(right)


def test_word_problems_have_different_answers_above_zero():
    answers = [int(example.answer) for example in WORD_PROBLEMS.items]
    assert min(answers) > 0
    assert max(answers.count(answer) for answer in answers) <= 8


def test_letter_patterns_repeat():
    for example in LETTER_PATTERNS.items:
        letters = [*example.question.split(), example.answer]
        assert any(
            all(a == b for a, b in zip(letters, letters[period:], strict=False))
            for period in (2, 3)
        )


def test_json_answers_hold_facts_of_the_question():
    for example in JSON_FACTS.items:
        facts = json.loads(example.answer)
        assert list(facts) == ["name", "age", "city"]
        assert all(str(fact) in example.question for fact in facts.values())


def test_past_tense_formats_are_different_templates():
    assert len(set(PAST_TENSE_FORMATS)) == 12
    assert PAST_TENSE_FORMATS[0] == PAST_TENSE.template
    texts = {
        Prompt(template, PAST_TENSE.pool[:1]).render("eat")
        for template in PAST_TENSE_FORMATS
    }
    assert len(texts) == 12


def test_task_refuses_more_shots_than_its_pool_has():
    with pytest.raises(ValueError, match="shots must be from 0 to 24; got 25"):
        PAST_TENSE.prompt(25)


def test_task_refuses_reasoning_that_it_does_not_have():
    with pytest.raises(ValueError, match="have no reasoning"):
        PAST_TENSE.prompt(2, worked=True)


def test_task_judges_one_answer_per_item():
    answers = [item.answer for item in PAST_TENSE.items]
    assert all(verdict.strict for verdict in PAST_TENSE.verdicts(answers))
    with pytest.raises(ValueError, match="got 50 items and 49 answers"):
        PAST_TENSE.verdicts(answers[1:])
