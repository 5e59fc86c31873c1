import random

import pytest

from genai_tutorial.corpus import restore
from genai_tutorial.tasks.code import (
    CODE_TOKENS,
    MIXTURE,
    body_line_gaps,
    draw_exercises,
    encode_documents,
    exercise_documents,
    train_code_tokenizer,
)
from genai_tutorial.tasks.code.exercises import TESTS, exercise_document


@pytest.fixture(scope="module")
def exercises():
    return draw_exercises(60, "train", seed=0)


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


def test_mixture_decides_the_share_of_forms(exercises):
    documents = exercise_documents(exercises, {"tests": 1.0}, seed=0)
    assert all(TESTS in document for document in documents)
    documents = exercise_documents(exercises * 20, MIXTURE, seed=0)
    plain = sum(not any(t in d for t in CODE_TOKENS) for d in documents)
    assert 0.4 < plain / len(documents) < 0.5


def test_rows_hold_whole_documents(exercises):
    documents = exercise_documents(exercises, MIXTURE, seed=0)
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
