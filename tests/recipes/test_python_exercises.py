import ast
import dataclasses

import pytest

from genai_tutorial.recipes import load, python_exercises
from genai_tutorial.recipes.python_exercises import PYTHON_EXERCISES, held_out_exercises
from genai_tutorial.recipes.sampling import TextOptions
from genai_tutorial.tasks.code import END, train_code_tokenizer
from tests.recipes.spot_check import spot_check, write

TINY = dataclasses.replace(
    PYTHON_EXERCISES,
    config=dataclasses.replace(
        PYTHON_EXERCISES.config, vocab_size=300, width=16, layers=1
    ),
    exercises=40,
    tokenizer_exercises=20,
    batch_size=4,
    steps=6,
    warmup_steps=1,
)


def test_training_is_resumed_and_keeps_its_tokenizer(resumes):
    trained = resumes(TINY, python_exercises, "supervised_loss")
    model, tokenizer = TINY.wrap(trained.model, dict(trained.notes))
    assert model is trained.model
    assert tokenizer.special_tokens[END] == 0
    assert tokenizer.vocab_size == 300


def test_held_out_exercises_are_always_the_same():
    first, again = held_out_exercises(), held_out_exercises()
    assert [e.program for e in first] == [e.program for e in again]
    trained = {e.combination for e in first}
    from genai_tutorial.tasks.code import combinations

    assert not trained & set(combinations("train"))


def test_write_returns_a_program_with_the_prompt():
    tokenizer = train_code_tokenizer(TINY.documents, 300)
    loaded = (TINY.build(), tokenizer)
    options = TextOptions(prompt="Return the sum.", temperature=1.0, tokens=5)
    text = TINY.write(loaded, options, seed=1)
    assert text.startswith('def solve(numbers):\n    """Return the sum."""')
    assert text == TINY.write(loaded, options, seed=1)
    own = 'def longest(words):\n    """Return the longest."""\n'
    text = TINY.write(loaded, dataclasses.replace(options, prompt=own), seed=1)
    assert text.startswith(own.rstrip())


@pytest.mark.slow
def test_published_model_writes_programs_that_parse():
    assert "for" in write("python-exercises")
    for prompt in (
        "Return the sorted list of the words.",
        "Find the largest of the data.",
    ):
        program = write("python-exercises", prompt=prompt)
        (function,) = ast.parse(program).body
        assert ast.get_docstring(function) == prompt


@pytest.mark.slow
def test_published_model_fills_lines():
    check = spot_check(PYTHON_EXERCISES, load("python-exercises"), 20, seed=3)
    assert check.interval().high > 0.8
