import ast
import random

import pytest

from genai_tutorial.corpus import restore
from genai_tutorial.tasks.code import (
    CODE_TOKENS,
    EXERCISE_MIXTURE,
    body_line_gaps,
    combinations,
    draw_exercises,
    encode_documents,
    exercise_documents,
    train_code_tokenizer,
)
from genai_tutorial.tasks.code.exercises import TESTS, exercise_document


@pytest.fixture(scope="module")
def exercises():
    return draw_exercises(60, "train", seed=0)


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


def test_prompt_holds_signature_and_docstring_and_ends_without_newline(exercises):
    for exercise in exercises:
        (function,) = ast.parse(exercise.program).body
        docstring = ast.get_docstring(function)
        assert exercise.prompt.endswith(f'"""{docstring}"""')
        assert "{" not in exercise.program
        assert exercise.body.startswith("\n    ")
        assert function.name == exercise.name


def test_inputs_are_different_and_begin_with_the_empty_list(exercises):
    inputs = exercises[0].inputs(12, seed=0)
    assert inputs[0] == []
    assert len({tuple(items) for items in inputs}) == 12


def test_rearranged_documents_restore_the_program(exercises):
    draws = random.Random(0)
    for exercise in exercises:
        for form in ("line", "lines", "docstring"):
            document = exercise_document(exercise, form, draws)
            assert restore(document) == exercise.program
            end = document.partition("<|middle|>")[2]
            assert exercise.program.startswith(end)
            assert len(end.splitlines()) == 2 or form != "docstring"
        assert exercise_document(exercise, "program", draws) == exercise.program


def test_tests_document_holds_right_assertions(exercises):
    for exercise in exercises[:20]:
        document = exercise_document(exercise, "tests", random.Random(1))
        prompt, _, tests = document.partition(TESTS)
        assert prompt == exercise.prompt
        assert tests.count("\nassert ") == 3
        exec(exercise.program + tests, {})
        with pytest.raises(AssertionError):
            exec(exercise.program.replace("return", "return 'x',") + tests, {})


def test_mixture_decides_the_share_of_forms(exercises):
    documents = exercise_documents(exercises, {"tests": 1.0}, seed=0)
    assert all(TESTS in document for document in documents)
    documents = exercise_documents(exercises * 20, EXERCISE_MIXTURE, seed=0)
    plain = sum(not any(t in d for t in CODE_TOKENS) for d in documents)
    assert 0.4 < plain / len(documents) < 0.5


def test_rows_hold_whole_documents(exercises):
    documents = exercise_documents(exercises, EXERCISE_MIXTURE, seed=0)
    tokenizer = train_code_tokenizer(documents, 300)
    rows = encode_documents(tokenizer, documents, 400)
    end = tokenizer.special_tokens["<|endoftext|>"]
    found = []
    for ids, numbers in zip(rows.ids, rows.documents, strict=True):
        for number in range(int(numbers.max()) + 1):
            document = ids[numbers == number].tolist()
            assert document[0] == document[-1] == end
            assert end not in document[1:-1]
            found.append(tokenizer.decode(document[1:-1]))
    assert sorted(found) == sorted(documents)


def test_documents_longer_than_a_row_are_left_out(exercises):
    documents = [exercises[0].program, exercises[0].program * 9]
    tokenizer = train_code_tokenizer(documents, 280)
    rows = encode_documents(tokenizer, documents, 300)
    assert rows.documents.max() == 0
    assert len(rows.ids) == 1


def test_body_line_gaps_take_turns(exercises):
    gaps = body_line_gaps(exercises)
    for exercise, gap in zip(exercises, gaps, strict=True):
        assert gap.document == exercise.program
        assert gap.prefix.startswith(exercise.prompt)
    assert gaps[0].prefix.count("\n") == 1
    assert gaps[1].prefix.count("\n") == 2
