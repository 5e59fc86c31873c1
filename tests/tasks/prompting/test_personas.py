import pytest

from genai_tutorial.tasks.prompting import (
    PERSONA_QUESTIONS,
    PERSONAS,
    sounds_like_pirate,
)


def test_persona_questions_are_fifty_and_about_no_pirates():
    assert len(PERSONA_QUESTIONS) == len(set(PERSONA_QUESTIONS)) == 50
    assert not any(sounds_like_pirate(question) for question in PERSONA_QUESTIONS)
    assert PERSONAS[0].system is None


@pytest.mark.parametrize(
    ("text", "pirate"),
    [
        ("Arrr, me hearties", True),
        ("Aye, matey!", True),
        ("Shiver me timbers", True),
        ("The sky is blue because of scattering.", False),
        ("Your yellow yeast", False),
    ],
)
def test_sounds_like_pirate_looks_for_whole_words(text, pirate):
    assert sounds_like_pirate(text) == pirate
