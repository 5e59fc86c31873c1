import ast
import random

import pytest

from genai_tutorial.tasks.code import Constants, combinations, draw_exercises
from genai_tutorial.tasks.code.exercises import draw_exercise


def run(exercise, items):
    """Run a reference program, which is our own text and not a model's."""
    space = {}
    exec(exercise.program, space)
    return space[exercise.name](list(items))


@pytest.mark.parametrize("part", ["train", "held-out"])
def test_reference_programs_give_the_expected_answers(part):
    for exercise in draw_exercises(300, part, seed=1):
        for items in exercise.inputs(6, seed=0):
            assert run(exercise, items) == exercise.expected(items), exercise.program


def test_tests_pass_with_reference_program():
    exercise = draw_exercise(random.Random(2), "train")
    tests = exercise.tests(exercise.inputs(5, seed=0))
    assert len(tests.splitlines()) == 6
    exec(exercise.program + tests, {})
    with pytest.raises(AssertionError):
        exec(exercise.program.replace("return", "return 'x',") + tests, {})


def test_combinations_are_split_and_every_part_of_a_held_out_one_is_trained():
    train, held_out = combinations("train"), combinations("held-out")
    assert not set(train) & set(held_out)
    assert len(held_out) == round(0.2 * (len(train) + len(held_out)))
    for field in ("condition", "transformation", "reduction"):
        shown = {(c.takes, getattr(c, field)) for c in train}
        assert {(c.takes, getattr(c, field)) for c in held_out} <= shown


def test_same_seed_draws_same_exercises():
    first, again, other = (draw_exercises(5, "train", seed) for seed in (3, 3, 4))
    assert [e.program for e in first] == [e.program for e in again]
    assert [e.program for e in first] != [e.program for e in other]
    assert first[0].inputs(4, 0) == again[0].inputs(4, 0)
    with pytest.raises(ValueError, match="count must be at least 1"):
        draw_exercises(0, "train", seed=0)


def test_prompt_holds_signature_and_docstring_and_ends_without_newline():
    for exercise in draw_exercises(50, "train", seed=5):
        (function,) = ast.parse(exercise.program).body
        docstring = ast.get_docstring(function)
        assert exercise.prompt.endswith(f'"""{docstring}"""')
        assert "{" not in exercise.program
        assert exercise.body.startswith("\n    ")
        assert function.name == exercise.name


def test_inputs_are_different_and_begin_with_the_empty_list():
    exercise = draw_exercise(random.Random(7), "train")
    inputs = exercise.inputs(12, seed=0)
    assert inputs[0] == []
    assert len({tuple(items) for items in inputs}) == 12


def test_expected_uses_number_and_letter():
    combination = next(
        c
        for c in combinations("train")
        if c.condition.after == "greater than {k}" and c.transformation.of == "{k} plus"
    )
    values = combination.expected([1, 5], Constants(4, "a"))
    assert values == combination.reduction.apply([9], Constants(4, "a"))
