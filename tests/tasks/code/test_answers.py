import ast
from dataclasses import replace

import pytest
import torch

from genai_tutorial.tasks.code import (
    ask_samples,
    choose_by_codet,
    choose_by_tests,
    draw_exercises,
    mutants,
    solved,
)
from genai_tutorial.tasks.code.answers import NO_ANSWER, mutation_score, unmutated

EXERCISES = draw_exercises(3, "train", seed=0)


def ask(programs, inputs):
    """Return the answers of programs, each with a function f, to inputs."""
    exercise = replace(EXERCISES[0], name="f", prompt="")
    return ask_samples([exercise], [programs], [inputs])[0]


def test_answers_are_what_python_shows():
    programs = [
        "def f(x):\n    return x[::-1]",
        "def f(x):\n    return [str(i) for i in x]",
        "def f(x):\n    return sum(x) / len(x)",
    ]
    assert ask(programs, [[1, 2], []]) == [
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
    assert ask(programs, [[1], [2]]) == [
        [NO_ANSWER] * 2,
        ["NameError"] * 2,
        [NO_ANSWER] * 2,
        [NO_ANSWER] * 2,
    ]


def test_long_answers_arrive_whole():
    program = "def f(x):\n    return x * 40"
    assert ask([program], [["word"] * 7] * 3) == [[repr(["word"] * 280)] * 3]


def test_solved_accepts_references_and_refuses_others():
    bodies = [
        [exercise.body, "\n    return None", exercise.body.replace("values", "v")]
        for exercise in EXERCISES
    ]
    assert solved(EXERCISES, bodies) == [[True, False, True]] * 3


def test_choose_by_tests_takes_the_first_of_equals():
    assert choose_by_tests(torch.tensor([[1, 0], [0, 1], [1, 1], [1, 1]]).bool()) == 2
    assert choose_by_tests(torch.zeros(3, 0).bool()) == 0


def test_codet_prefers_agreement_to_a_single_program_with_more_tests():
    passed = torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0], [1, 1, 0, 0]]).bool()
    assert choose_by_tests(passed) == 0
    assert choose_by_codet(passed) == 1
    assert choose_by_codet(torch.zeros(3, 2).bool()) == 0


CLAMP = '''def clamp(x, low, high):
    """Return x, or the nearer end if it is outside: 3 < 5."""
    if x < low:
        return low
    return high if x > high else x
'''


def test_mutants_change_one_place_each():
    source = (
        "def f(a, b):\n    if a < b and a in (1, True):\n"
        "        return a + 2 * b\n    a -= 1\n    return a"
    )
    lines = set(source.splitlines())
    changed = [set(mutant.splitlines()) - lines for mutant in mutants(source)]
    assert {line.strip() for (line,) in changed} == {
        "if not (a < b and a in (1, True)):",
        "if a < b or a in (1, True):",
        "if a <= b and a in (1, True):",
        "if a < b and a not in (1, True):",
        "if a < b and a in (2, True):",
        "if a < b and a in (1, False):",
        "return not a + 2 * b",
        "return a - 2 * b",
        "return a + (2 + b)",
        "return a + 3 * b",
        "a += 1",
        "a -= 2",
        "return not a",
    }


def test_mutants_leave_docstrings_alone_and_are_programs():
    for mutant in mutants(CLAMP):
        assert ast.get_docstring(ast.parse(mutant).body[0]).endswith("outside: 3 < 5.")
        assert ast.dump(ast.parse(mutant)) != ast.dump(ast.parse(CLAMP))
    assert len(set(mutants(CLAMP))) == len(mutants(CLAMP)) > 5
    assert mutants("x = f('a')") == []
    with pytest.raises(SyntaxError):
        mutants("def f(:")


@pytest.mark.slow
def test_mutation_score_rises_with_tests_up_to_equivalent_mutants():
    inside = "assert clamp(3, 1, 5) == 3"
    below, above = "assert clamp(0, 1, 5) == 1", "assert clamp(9, 1, 5) == 5"
    scores = [
        mutation_score(tests, CLAMP)
        for tests in ([inside], [inside, below], [inside, below, above])
    ]
    assert scores[0] < scores[1] <= scores[2] < 1
    # at the ends, both branches return the same number
    survivors = [m for m in mutants(CLAMP) if m.count("<=") + m.count(">=") == 1]
    assert len(survivors) == 2
    assert scores[2] == pytest.approx(1 - len(survivors) / len(mutants(CLAMP)))


def test_mutation_score_rejects_wrong_programs_and_nothing_to_change():
    with pytest.raises(ValueError, match="ended with: wrong"):
        mutation_score(["assert clamp(3, 1, 5) == 4"], CLAMP)
    with pytest.raises(ValueError, match="nothing to change"):
        mutation_score(["assert True"], "pass")


def test_unmutated_finds_the_program_behind_each_mutant():
    for exercise in EXERCISES:
        original = ast.unparse(ast.parse(exercise.program))
        for mutant in mutants(exercise.program):
            found = unmutated(mutant)
            assert original in found
            assert all(mutant in mutants(program) for program in found)
            assert len(found) < 20
