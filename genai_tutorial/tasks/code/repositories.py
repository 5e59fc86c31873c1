"""Small repositories with a planted fault: two modules of three functions each, their
tests, and one mutation.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from genai_tutorial.agents import TESTS_FILE
from genai_tutorial.sandbox import ProgramRunner

from .answers import mutants
from .exercises import FUNCTION_NAMES, Exercise, ExerciseKind, draw_exercise

_MODULES: Mapping[ExerciseKind, str] = {"number": "amounts", "text": "labels"}
_TESTS = 4  # of each function


@dataclass(frozen=True)
class Repository:
    """Six functions with their tests, one of which has a fault.

    Attributes:
        exercises: The functions as they should be, by module.
        has_docstrings: False if the functions lost their docstrings, so that only the
            tests say what they should do.
        function: The name of the function with the fault.
        fault: Its source.
    """

    exercises: Mapping[str, tuple[Exercise, ...]]
    has_docstrings: bool
    function: str
    fault: str

    @cached_property
    def files(self) -> dict[str, str]:
        """The files by name, the tests last."""
        files, tests = {}, [f"import {module}" for module in self.exercises]
        for module, exercises in self.exercises.items():
            sources = [self._source(exercise) for exercise in exercises]
            files[f"{module}.py"] = "\n\n\n".join(sources) + "\n"
            tests += [line for one in exercises for line in _test_lines(module, one)]
        return {**files, TESTS_FILE: "\n".join(tests) + "\n"}

    def _source(self, exercise: Exercise) -> str:
        if exercise.name == self.function:
            return self.fault
        return _shown(exercise, self.has_docstrings)


def draw_repositories(
    count: int, seed: int, has_docstrings: bool = True
) -> list[Repository]:
    """Draw repositories of held-out exercises. Each fault is one mutation that at least
    one test notices; the same seed draws the same faults with and without docstrings.

    Raises:
        SandboxError: If programs cannot be run here.
    """
    with ProgramRunner() as runner:
        return [
            _draw(random.Random(f"{seed} {number}"), has_docstrings, runner)
            for number in range(count)
        ]


def quoted(program: str) -> str:
    """Return a program from `ast.unparse` in the quotes of the exercises."""
    return program.replace("'", '"')


def _draw(
    draws: random.Random, has_docstrings: bool, runner: ProgramRunner
) -> Repository:
    names = draws.sample(FUNCTION_NAMES, 6)
    exercises: dict[str, list[Exercise]] = {module: [] for module in _MODULES.values()}
    while names:
        exercise = draw_exercise(draws, "held-out")
        group = exercises[_MODULES[exercise.combination.takes]]
        if len(group) < 3 and exercise.name == names[-1]:
            group.append(exercise)
            names.pop()
    modules = [(name, one) for name, group in exercises.items() for one in group]
    draws.shuffle(modules)
    for module, exercise in modules:  # until one has a mutant that a test notices
        found = [quoted(one) for one in mutants(_shown(exercise, has_docstrings))]
        for mutant in draws.sample(found, len(found)):
            tests = [
                line.replace(f"{module}.", "") for line in _test_lines(module, exercise)
            ]
            (outcome,) = runner.run(["\n".join([mutant, *tests])])
            if not outcome.passed:
                groups = {name: tuple(group) for name, group in exercises.items()}
                return Repository(groups, has_docstrings, exercise.name, mutant)
    raise AssertionError("six functions have a fault that some test notices")


def _shown(exercise: Exercise, has_docstring: bool) -> str:
    """Return the source of a correct function, with its docstring or without."""
    signature = exercise.prompt.split("\n")[0]
    return exercise.program if has_docstring else signature + exercise.body


def _test_lines(module: str, exercise: Exercise) -> list[str]:
    """Return assertions such as `assert amounts.solve([3, -4]) == 9`."""
    lines = exercise.tests(exercise.inputs(_TESTS, seed=0)).strip().splitlines()
    return [line.replace("assert ", f"assert {module}.", 1) for line in lines]
