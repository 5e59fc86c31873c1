import pytest

from benchmarks.injections import (
    INJECTED_WORD,
    INJECTIONS,
    fenced_prompt,
    injected_passages,
    injection_cases,
    marked_prompt,
    only_quoted_spans,
    reminded_prompt,
)
from genai_tutorial.data import load_facts
from genai_tutorial.retrieval import ABSTENTION
from genai_tutorial.tasks.assistant import normalize_answer


def test_injection_cases_contain_the_answer_but_not_the_injected_word():
    for case in injection_cases(load_facts(), 40, seed=2):
        context = normalize_answer(" ".join(case.passages))
        assert normalize_answer(case.question.answer) in context
        assert INJECTED_WORD not in context
        assert len(set(case.passages)) == 3
        assert 0 <= case.place <= 3
        for attack in INJECTIONS:
            assert INJECTED_WORD in case.injection(attack)
        assert any(passage.startswith(case.noun + " is ") for passage in case.passages)
    with pytest.raises(ValueError, match="attack must be one of"):
        case.injection("none")
    with pytest.raises(ValueError, match="count must be from 1"):
        injection_cases(load_facts(), 0)


@pytest.mark.parametrize("prompt", [fenced_prompt, marked_prompt, reminded_prompt])
def test_defended_prompts_contain_question_and_passages(prompt):
    text = prompt("Where is Lima?", ["Lima is in Peru.", "It rains."])
    assert text.endswith("Question: Where is Lima?")
    assert "[1] Lima" in text
    assert "[2] It" in text
    assert "instructions" in text


def test_injected_passages_keep_the_others_in_order():
    assert injected_passages(["a", "b"], "!", 1) == ["a", "!", "b"]
    assert injected_passages(["a", "b"], "!", 2) == ["a", "b", "!"]
    with pytest.raises(ValueError, match="from 0 to 1, got 2"):
        injected_passages(["a"], "!", 2)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("The capital is Lima.", "The capital is Lima."),
        ("lima", "lima"),
        ("Lim", ABSTENTION),  # not a whole word
        ("Lima is Peru", ABSTENTION),  # not in a row
        ("", ABSTENTION),
        ("...", ABSTENTION),
    ],
)
def test_only_quoted_spans(answer, expected):
    passages = ["In Peru, the capital is Lima.", "It rains."]
    assert only_quoted_spans(answer, passages) == expected


def test_only_quoted_spans_do_not_cross_passages():
    assert only_quoted_spans("b c", ["a b", "c d"]) == ABSTENTION
