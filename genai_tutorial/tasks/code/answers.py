"""What programs answer: each is run in the sandbox once, on several inputs."""

import ast
from collections.abc import Sequence

from genai_tutorial.sandbox import ProgramLimits, run_programs

from .exercises import Exercise

NO_ANSWER = "no answer"
"""What a program answers that raises an error, or is stopped."""

_ASK = """
answers = []
for items in {inputs!r}:
    try:
        answers.append(repr({name}(items)))
    except Exception as error:
        answers.append(type(error).__name__)
assert False, repr(answers)
"""


def ask_programs(
    programs: Sequence[str],
    names: Sequence[str],
    inputs: Sequence[Sequence[list]],
    limits: ProgramLimits | None = None,
) -> list[list[str]]:
    """Return each program's answers to its inputs, as Python shows them."""
    sources = [
        program + _ASK.format(inputs=list(lists), name=name)
        for program, name, lists in zip(programs, names, inputs, strict=True)
    ]
    outcomes = run_programs(sources, limits or ProgramLimits())
    return [
        _read(outcome.message, len(lists))
        for outcome, lists in zip(outcomes, inputs, strict=True)
    ]


def ask_samples(
    exercises: Sequence[Exercise],
    bodies: Sequence[Sequence[str]],
    inputs: Sequence[Sequence[list]],
) -> list[list[list[str]]]:
    """Return the answers of several bodies for each exercise to its inputs.

    Args:
        bodies: The bodies written for each of them.
        inputs: The lists to ask about, for each exercise.
    """
    programs, names, lists = [], [], []
    for exercise, written, asked in zip(exercises, bodies, inputs, strict=True):
        programs += [exercise.prompt + body for body in written]
        names += [exercise.name] * len(written)
        lists += [asked] * len(written)
    answers = iter(ask_programs(programs, names, lists))
    return [[next(answers) for _ in written] for written in bodies]


def solved(
    exercises: Sequence[Exercise],
    bodies: Sequence[Sequence[str]],
    tests: int = 12,
    seed: int = 0,
) -> list[list[bool]]:
    """Return whether each body answers all tests of its exercise correctly.

    Args:
        bodies: The bodies written for each of them.
    """
    inputs = [exercise.inputs(tests, seed) for exercise in exercises]
    answers = ask_samples(exercises, bodies, inputs)
    return [
        [given == right_answers(exercise, asked) for given in samples]
        for exercise, samples, asked in zip(exercises, answers, inputs, strict=True)
    ]


def right_answers(exercise: Exercise, inputs: Sequence[list]) -> list[str]:
    """Return the right answer to each input, as Python shows it."""
    return [repr(exercise.expected(items)) for items in inputs]


def _read(message: str, count: int) -> list[str]:
    """Read the list of answers; a program that was stopped has given none."""
    try:
        answers = ast.literal_eval(message)
    except (SyntaxError, ValueError):
        return [NO_ANSWER] * count
    is_list = isinstance(answers, list) and len(answers) == count
    return [str(answer) for answer in answers] if is_list else [NO_ANSWER] * count
