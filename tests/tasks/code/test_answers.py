import pytest

from genai_tutorial.tasks.code import draw_exercises, right_answers, solved
from genai_tutorial.tasks.code.answers import NO_ANSWER, ask_programs

EXERCISES = draw_exercises(3, "train", seed=0)


def test_answers_are_what_python_shows():
    programs = [
        "def f(x):\n    return x[::-1]",
        "def f(x):\n    return [str(i) for i in x]",
        "def f(x):\n    return sum(x) / len(x)",
    ]
    answers = ask_programs(programs, ["f"] * 3, [[[1, 2], []]] * 3)
    assert answers == [
        ["[2, 1]", "[]"],
        ["['1', '2']", "[]"],
        ["1.5", "ZeroDivisionError"],
    ]


def test_programs_without_answers_are_told_from_wrong_ones():
    programs = [
        "def f(x) return x",
        "def g(x):\n    return x",
        "def f(x):\n    raise SystemExit",
        "def f(x):\n    return 1\nraise ValueError",
    ]
    answers = ask_programs(programs, ["f"] * 4, [[[1], [2]]] * 4)
    assert answers == [
        [NO_ANSWER] * 2,
        ["NameError"] * 2,
        [NO_ANSWER] * 2,
        [NO_ANSWER] * 2,
    ]


def test_long_answers_arrive_whole():
    inputs = [[["word"] * 7]] * 1
    (answers,) = ask_programs(
        ["def f(x):\n    return x * 40"], ["f"], [[list(inputs[0][0])] * 3]
    )
    assert answers == [repr(["word"] * 280)] * 3


def test_solved_accepts_references_and_refuses_others():
    bodies = [
        [exercise.body, "\n    return None", exercise.body.replace("values", "v")]
        for exercise in EXERCISES
    ]
    assert solved(EXERCISES, bodies) == [[True, False, True]] * 3


@pytest.mark.parametrize("exercise", EXERCISES)
def test_right_answers_belong_to_inputs(exercise):
    inputs = exercise.inputs(4, seed=1)
    assert right_answers(exercise, inputs) == [
        repr(exercise.expected(items)) for items in inputs
    ]
