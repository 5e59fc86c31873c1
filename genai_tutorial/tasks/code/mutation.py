"""Mutation: change one thing in a right program, and see whether its tests notice."""

import ast
from collections.abc import Iterator, Sequence

from genai_tutorial.sandbox import ProgramLimits, run_programs

_SWAPS: dict[type, type] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult,
}  # fmt: skip


def mutants(source: str) -> list[str]:
    r"""Return all programs that differ from a program in one place.

    A comparison, an arithmetic operator or `and`/`or` is swapped, a number becomes
    larger by one, a truth value is flipped, a returned value is negated with `not`, or
    a condition is. Docstrings and comments are not changed; comments are lost. Some
    mutants may be equivalent to the program, and no test can catch those.

    Raises:
        SyntaxError: If the source is not a Python program.

    Source: DeMillo, Lipton and Sayward (1978), Hints on test data selection,
        https://doi.org/10.1109/C-M.1978.218136

    >>> for mutant in mutants("def f(x):\n    return x > 0"):
    ...     print(mutant.splitlines()[1].strip())
    return not x > 0
    return x >= 0
    return x > 1
    """
    original = ast.unparse(ast.parse(source))
    count = sum(1 for node in ast.walk(ast.parse(source)) for _ in _changes(node))
    found = []
    for number in range(count):
        tree = ast.parse(source)
        changes = [change for node in ast.walk(tree) for change in _changes(node)]
        apply, *arguments = changes[number]
        apply(*arguments)
        found.append(ast.unparse(ast.fix_missing_locations(tree)))
    return [mutant for mutant in dict.fromkeys(found) if mutant != original]


def _changes(node: ast.AST) -> Iterator[tuple]:
    """Return what can be changed in one node, each as a function and its arguments."""
    if isinstance(node, ast.Return) and node.value is not None:
        yield setattr, node, "value", ast.UnaryOp(ast.Not(), node.value)
    if isinstance(node, ast.If | ast.While | ast.IfExp):
        yield setattr, node, "test", ast.UnaryOp(ast.Not(), node.test)
    if isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            yield node.ops.__setitem__, place, _SWAPS[type(operator)]()
    if isinstance(node, ast.BinOp | ast.BoolOp | ast.AugAssign):
        swapped = _SWAPS.get(type(node.op))
        if swapped:
            yield setattr, node, "op", swapped()
    if isinstance(node, ast.Constant):
        if isinstance(node.value, bool):
            yield setattr, node, "value", not node.value
        elif isinstance(node.value, int | float):
            yield setattr, node, "value", node.value + 1


def surviving_mutants(
    source: str, tests: str, limits: ProgramLimits | None = None
) -> list[str]:
    """Return the mutants of a program that pass its tests."""
    programs = [source, *mutants(source)]
    outcomes = run_programs([f"{program}\n\n{tests}" for program in programs], limits)
    if not outcomes[0].passed:
        raise ValueError(
            "The program must pass its own tests before they can judge others, but it "
            f"ended with: {outcomes[0].kind} ({outcomes[0].message})"
        )
    return [
        program
        for program, outcome in zip(programs[1:], outcomes[1:], strict=True)
        if outcome.passed
    ]


def mutation_score(
    tests: Sequence[str], source: str, limits: ProgramLimits | None = None
) -> float:
    r"""Return the share of a program's mutants that its tests catch."""
    count = len(mutants(source))
    if count == 0:
        raise ValueError(
            "There is nothing to change in this program, so no test can be measured: "
            f"{source!r}"
        )
    return 1 - len(surviving_mutants(source, "\n".join(tests), limits)) / count
