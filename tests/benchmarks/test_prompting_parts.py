from benchmarks.prompting_parts import (
    PERSONA_QUESTIONS,
    remove_fields,
    remove_line_breaks,
)
from genai_tutorial.tasks.prompting import attacked, field_attack, quoted_field_attack


def test_defences_leave_one_line_without_fields():
    review = quoted_field_attack("Bad.", "positive")
    assert "\n" not in remove_line_breaks(review)
    assert "Sentiment:" in remove_line_breaks(review)
    assert remove_fields(review) == "Bad. negative I absolutely loved it."
    assert attacked(field_attack, 2, remove_fields)[0].question.count("\n") == 0


def test_persona_questions_are_fifty_different_ones():
    assert len(set(PERSONA_QUESTIONS)) == 50
