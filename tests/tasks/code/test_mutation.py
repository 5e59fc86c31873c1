import ast

import pytest

from genai_tutorial.tasks.code import mutants
from genai_tutorial.tasks.code.answers import mutation_score, surviving_mutants

CLAMP = '''def clamp(x, low, high):
    """Return x, or the nearer end if it is outside: 3 < 5."""
    if x < low:
        return low
    return high if x > high else x
'''


def test_mutants_change_one_place_each() -> None:
    source = (
        "def f(a, b):\n    if a < b and a in (1, True):\n"
        "        return a + 2 * b\n    a -= 1\n    return a"
    )
    changed = [
        [
            line.strip()
            for line, before in zip(
                mutant.splitlines(), source.splitlines(), strict=True
            )
            if line != before
        ]
        for mutant in mutants(source)
    ]
    assert all(len(lines) == 1 for lines in changed)
    assert {lines[0] for lines in changed} == {
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


def test_mutants_leave_docstrings_alone_and_are_programs() -> None:
    for mutant in mutants(CLAMP):
        assert ast.get_docstring(ast.parse(mutant).body[0]).endswith("outside: 3 < 5.")
        assert ast.dump(ast.parse(mutant)) != ast.dump(ast.parse(CLAMP))
    assert len(set(mutants(CLAMP))) == len(mutants(CLAMP)) > 5
    assert mutants("x = f('a')") == []
    with pytest.raises(SyntaxError):
        mutants("def f(:")


@pytest.mark.slow
def test_mutation_score_rises_with_tests_up_to_equivalent_mutants() -> None:
    inside = "assert clamp(3, 1, 5) == 3"
    below, above = "assert clamp(0, 1, 5) == 1", "assert clamp(9, 1, 5) == 5"
    scores = [
        mutation_score(tests, CLAMP)
        for tests in ([inside], [inside, below], [inside, below, above])
    ]
    assert scores[0] < scores[1] <= scores[2] < 1
    # at the ends, both branches return the same number
    survivors = surviving_mutants(CLAMP, "\n".join([inside, below, above]))
    assert {mutant.count("<=") + mutant.count(">=") for mutant in survivors} == {1}
    assert scores[2] == 1 - len(survivors) / len(mutants(CLAMP))


def test_mutation_score_rejects_wrong_programs_and_nothing_to_change() -> None:
    with pytest.raises(ValueError, match="ended with: wrong"):
        mutation_score(["assert clamp(3, 1, 5) == 4"], CLAMP)
    with pytest.raises(ValueError, match="nothing to change"):
        mutation_score(["assert True"], "pass")
