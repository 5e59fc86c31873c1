import pytest

from genai_tutorial.tasks.prompting import (
    PromptExample,
    Verdict,
    first_line,
    read_verdicts,
    write_verdicts,
)
from genai_tutorial.tasks.prompting.task import (
    judge_json,
    judge_label,
    judge_letter,
    judge_number,
    judge_text,
)

WRONG, LENIENT, STRICT = (
    Verdict(False, False),
    Verdict(False, True),
    Verdict(True, True),
)
BIG = PromptExample("big", "small", also=("little",))
FACTS = PromptExample("...", '{"name": "Ann", "age": 30}')


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (" small", STRICT),
        (" little\n\nWord: up", STRICT),
        ("\n small", STRICT),
        ("Small", LENIENT),
        ("small.", LENIENT),
        ("It is the word 'small'.", LENIENT),
        ("smallest", WRONG),
        ("large", WRONG),
        ("", WRONG),
    ],
)
def test_judge_text(text, verdict):
    assert judge_text(text, BIG) == verdict


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (" fruit\n", STRICT),
        ("An apple is a fruit.", LENIENT),
        ("a fruit, not an animal", WRONG),
        ("animal", WRONG),
        ("", WRONG),
    ],
)
def test_judge_label(text, verdict):
    assert (
        judge_label(("animal", "fruit"))(text, PromptExample("apple", "fruit"))
        == verdict
    )


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (" b\n", STRICT),
        ("The next letter is 'b'.", LENIENT),
        ("c b c B", LENIENT),
        ("b c", WRONG),
        ("bc", WRONG),
        ("", WRONG),
    ],
)
def test_judge_letter(text, verdict):
    assert judge_letter(text, PromptExample("b c b c", "b")) == verdict


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (" 12", STRICT),
        ("3 * 4 = 12. Answer: 12", STRICT),
        ("3 * 4 = 12 apples", LENIENT),
        ("12 - 3 = 9. Answer: 9", WRONG),
        ("Answer: 12 apples", LENIENT),
        (" 112", WRONG),
        ("twelve", WRONG),
    ],
)
def test_judge_number(text, verdict):
    assert judge_number(text, PromptExample("3 * 4", "12")) == verdict


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (' {"age": 30, "name": "Ann"}', STRICT),
        ('{\n "name": "Ann",\n "age": 30\n}', LENIENT),
        ('Here: {"name": "Ann", "age": 30}.', LENIENT),
        ('{"name": "Ann", "age": "30"}', WRONG),
        ('{"name": "Ann"}', WRONG),
        ('{"name": "Ann", "age": 30', WRONG),
        ("Ann, 30", WRONG),
    ],
)
def test_judge_json(text, verdict):
    assert judge_json(text, FACTS) == verdict


def test_first_line_follows_the_last_marker():
    assert first_line("Answer: 3? No. Answer:  4 \nAnd") == "4"
    assert first_line("\n\n went \nVerb:") == "went"
    assert first_line("") == ""


def test_verdicts_are_written_and_read():
    verdicts = [STRICT, LENIENT, WRONG, STRICT]
    assert write_verdicts(verdicts) == "2102"
    assert read_verdicts("2102") == verdicts
    with pytest.raises(ValueError, match="0, 1 and 2 only"):
        read_verdicts("23")
