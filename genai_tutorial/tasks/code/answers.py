"""Answers of programs in the sandbox: which of them are correct, which to choose
without knowing the correct answers, how to repair one, and how much its tests notice.
"""

import ast
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from jaxtyping import Bool
from torch import Tensor

from genai_tutorial.sandbox import run_programs

from .exercises import Exercise

NO_ANSWER = "no answer"
"""The answer of a program that raises an error, or is stopped."""

_ASK = """
answers = []
for items in {inputs!r}:
    try:
        answers.append(repr({name}(items)))
    except Exception as error:
        answers.append(type(error).__name__)
assert False, repr(answers)
"""


def ask_samples(
    exercises: Sequence[Exercise],
    bodies: Sequence[Sequence[str]],
    inputs: Sequence[Sequence[list]],
) -> list[list[list[str]]]:
    """Return the answers of several bodies for each exercise to its inputs, as Python
    shows them.
    """
    sources = []
    for exercise, written, asked in zip(exercises, bodies, inputs, strict=True):
        ask = _ASK.format(inputs=list(asked), name=exercise.name)
        sources += [exercise.prompt + body + ask for body in written]
    outcomes = iter(run_programs(sources))
    return [
        [_read(next(outcomes).message, len(asked)) for _ in written]
        for written, asked in zip(bodies, inputs, strict=True)
    ]


def solved(
    exercises: Sequence[Exercise], bodies: Sequence[Sequence[str]]
) -> list[list[bool]]:
    """Return whether each body answers all twelve tests of its exercise correctly."""
    inputs = [exercise.inputs(12, seed=0) for exercise in exercises]
    answers = ask_samples(exercises, bodies, inputs)
    return [
        [given == expected_answers(exercise, asked) for given in samples]
        for exercise, samples, asked in zip(exercises, answers, inputs, strict=True)
    ]


def expected_answers(exercise: Exercise, inputs: Sequence[list]) -> list[str]:
    """Return the correct answer to each input, as Python shows it."""
    return [repr(exercise.expected(items)) for items in inputs]


def _read(message: str, count: int) -> list[str]:
    """Read the list of answers; a program that was stopped has given none."""
    try:
        answers = ast.literal_eval(message)
    except (SyntaxError, ValueError):
        return [NO_ANSWER] * count
    is_list = isinstance(answers, list) and len(answers) == count
    return [str(answer) for answer in answers] if is_list else [NO_ANSWER] * count


def choose_by_tests(passed: Bool[Tensor, "sample test"]) -> int:
    """Return the index of the first program that passes the most tests."""
    return int(passed.sum(dim=1).argmax())


def choose_by_codet(passed: Bool[Tensor, "sample test"]) -> int:
    """Return the first program of the best consensus set.

    Programs that pass exactly the same tests form a set, whose score is the number of
    its programs times the number of tests that they pass. A wrong test is rarely passed
    by many programs, so it counts little.

    Source: Chen et al., CodeT: Code Generation with Generated Tests, section 2,
        https://arxiv.org/abs/2207.10397

    >>> import torch
    >>> passed = torch.tensor([[1, 1, 0], [0, 0, 1], [0, 0, 1], [0, 0, 1]]).bool()
    >>> choose_by_tests(passed), choose_by_codet(passed)
    (0, 1)
    """
    rows = [tuple(row) for row in passed.tolist()]
    sizes = Counter(rows)
    scores = [sizes[row] * sum(row) for row in rows]
    return scores.index(max(scores))


@dataclass(frozen=True)
class Failure:
    """A body that fails, and the first test that shows it.

    Attributes:
        items: The first input that gets an incorrect answer.
    """

    exercise: Exercise
    body: str
    items: list
    answer: str

    @property
    def feedback(self) -> str:
        """A comment such as `# solve([3, -4]) gave 7, expected 9`."""
        expected = self.exercise.expected(self.items)
        return (
            f"\n# {self.exercise.name}({self.items}) gave {self.answer}, "
            f"expected {expected!r}"
        )

    @property
    def prompt(self) -> str:
        """The text that a model continues with a new body."""
        return self.exercise.prompt + self.body + self.feedback


def find_failure(
    exercise: Exercise, body: str, inputs: Sequence[list], answers: Sequence[str]
) -> Failure | None:
    """Return a body's first failure; None if all answers are correct."""
    for items, answer in zip(inputs, answers, strict=True):
        if answer != repr(exercise.expected(items)):
            return Failure(exercise, body, items, answer)
    return None


_SWAPS: dict[type, type] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult,
}  # fmt: skip


def mutants(source: str) -> list[str]:
    r"""Return all programs that differ from a program at one point.

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
    return _changed(source, _changes)


def unmutated(source: str) -> list[str]:
    r"""Return all programs of which a program is a mutant: each mutation, backwards.

    >>> for program in unmutated("def f(x):\n    return x - 1"):
    ...     print(program.splitlines()[1].strip())
    return x + 1
    return x - 0
    """
    mutant = ast.unparse(ast.parse(source))
    return [one for one in _changed(source, _reversals) if mutant in mutants(one)]


def _changed(source: str, changes: Callable[[ast.AST], Iterator[tuple]]) -> list[str]:
    """Return the programs after each change alone, without duplicates."""
    original = ast.unparse(ast.parse(source))
    count = sum(1 for node in ast.walk(ast.parse(source)) for _ in changes(node))
    found = []
    for number in range(count):
        tree = ast.parse(source)
        every = [change for node in ast.walk(tree) for change in changes(node)]
        apply, *arguments = every[number]
        apply(*arguments)
        found.append(ast.unparse(ast.fix_missing_locations(tree)))
    return [program for program in dict.fromkeys(found) if program != original]


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


def _reversals(node: ast.AST) -> Iterator[tuple]:
    """Return what may have been changed in one node, like `_changes`."""
    for field in ("value", "test"):
        if isinstance(node, ast.Return | ast.If | ast.While | ast.IfExp):
            inner = getattr(node, field, None)
            if isinstance(inner, ast.UnaryOp) and isinstance(inner.op, ast.Not):
                yield setattr, node, field, inner.operand
    if isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            for before in _swapped_to(operator):
                yield node.ops.__setitem__, place, before()
    if isinstance(node, ast.BinOp | ast.BoolOp | ast.AugAssign):
        for before in _swapped_to(node.op):
            yield setattr, node, "op", before()
    if isinstance(node, ast.Constant):
        if isinstance(node.value, bool):
            yield setattr, node, "value", not node.value
        elif isinstance(node.value, int | float):
            yield setattr, node, "value", node.value - 1


def _swapped_to(operator: ast.AST) -> list[type]:
    """Return the operators that a mutation replaces by this one."""
    return [before for before, after in _SWAPS.items() if after is type(operator)]


def mutation_score(tests: Sequence[str], source: str) -> float:
    """Return the share of a program's mutants that its tests catch."""
    changed = mutants(source)
    if not changed:
        raise ValueError(
            "There is nothing to change in this program, so no test can be measured: "
            f"{source!r}"
        )
    lines = "\n".join(tests)
    own, *outcomes = run_programs(
        [f"{program}\n\n{lines}" for program in (source, *changed)]
    )
    if not own.passed:
        raise ValueError(
            "The program must pass its own tests before they can judge others, but it "
            f"ended with: {own.kind} ({own.message})"
        )
    return sum(not outcome.passed for outcome in outcomes) / len(changed)
