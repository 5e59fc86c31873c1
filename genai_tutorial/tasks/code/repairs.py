"""Small repositories with a planted fault, which are two modules of three functions
each, their tests, and one mutation; and agents that repair them: they run the tests,
edit the function that fails, and run the tests again. What they try, and in which
order, is their proposer.
"""

import ast
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from genai_tutorial.agents import (
    COULD_NOT,
    TESTS_FILE,
    Conversation,
    Reply,
    ToolCall,
    last_results,
    smallest_edit,
    write_call,
)
from genai_tutorial.corpus import infilling_prompt, line_gaps
from genai_tutorial.sandbox import ProgramRunner

from .answers import mutants, unmutated
from .code_models import CodeModel
from .exercises import (
    BODY_LINE,
    FUNCTION_NAMES,
    ORDER,
    Exercise,
    ExerciseKind,
    draw_exercise,
)

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


Proposer = Callable[[str], Sequence[str]]
"""Returns versions of a function to try, in their order, given its present source."""


@dataclass(frozen=True)
class RepairPolicy:
    """A policy that tries the versions of a proposer until all tests pass, with the
    tools `run_tests`, `read_file` and `edit_file`. It never tries a version twice. If
    none is left, it restores the function.

    Attributes:
        runs: The largest number of runs of the tests after the first.
    """

    propose: Proposer
    runs: int = 20

    def replies(self, conversations: Sequence[Conversation]) -> list[Reply]:
        """Return the next call of each conversation, or the answer."""
        return [Reply(self._next(one)) for one in conversations]

    def _next(self, conversation: Conversation) -> str:
        results = last_results(conversation)
        if not results:
            return _call("run_tests")
        if results[-1].startswith("All "):
            return results[-1]
        found = re.search(r"assert (\w+)\.(\w+)\(", results[0])
        if found is None:
            return COULD_NOT
        path = f"{found[1]}.py"
        if len(results) == 1:
            return _call("read_file", path=path)
        text = f"{results[1]}\n"  # the tool shows a file without its last newline
        states = _states(self.propose, text, found[2], self.runs)
        edits, is_tested = divmod(len(results) - 1, 2)
        is_refused = not is_tested and results[-1].startswith("Error")
        if edits == len(states) - 1 or is_refused:
            return COULD_NOT
        if not is_tested:
            return _call("run_tests")
        old, new = smallest_edit(*states[edits : edits + 2])
        return _call("edit_file", path=path, old=old, new=new)


def reversed_mutations(source: str) -> list[str]:
    """Propose each mutation backwards, from the top of the function to the bottom. A
    fault that is one mutation is among them.
    """
    return [quoted(program) for program in unmutated(source)]


_RESAMPLED, _A_GAP = 20, 8  # samples of a body, and of each line


def resampled(model: CodeModel) -> Proposer:
    """Return a proposer that lets a model write the body again and again, from the
    signature and the docstring alone: it reads neither the faulty body nor a test.
    """

    def propose(source: str) -> list[str]:
        head, _ = _split(source)
        (bodies,) = model.sample([head], _RESAMPLED)
        return [head + body for body in bodies]

    return propose


def infilled(model: CodeModel) -> Proposer:
    """Return a proposer that lets a model fill each line of the body from the lines
    around it, the likeliest versions of the function first. Where there is no
    docstring, the model reads its own explanation of the function.
    """

    def propose(source: str) -> list[str]:
        head, body = _explained(model, source)
        gaps = line_gaps(head + body, BODY_LINE)
        prompts = [infilling_prompt(gap.prefix, gap.suffix, ORDER) for gap in gaps]
        return [
            _split(source)[0] + (gap.prefix + line + gap.suffix).removeprefix(head)
            for gap, lines in zip(gaps, model.sample(prompts, _A_GAP), strict=True)
            for line in lines
        ]

    return likeliest_first(model, propose)


def likeliest_first(model: CodeModel, propose: Proposer) -> Proposer:
    """Return a proposer with the versions of another one, ordered by the probability
    that a model gives to their bodies after the signature and the docstring, or after
    its own explanation of the function where there is no docstring.
    """

    def ordered(source: str) -> list[str]:
        versions = [one for one in propose(source) if _parses(one)]
        if not versions:
            return []
        head, _ = _explained(model, source)
        scores = model.log_likelihoods(head, [_split(one)[1] for one in versions])
        ranked = sorted(zip(scores, versions, strict=True), reverse=True)
        return [version for _, version in ranked]

    return ordered


def _explained(model: CodeModel, source: str) -> tuple[str, str]:
    """Return the head and the body of a function, with an explanation in the head."""
    head, body = _split(source)
    if '"""' not in head:
        (text,) = model.explain([f'{head}\n    """?"""{body}'])
        head = f'{head}\n    """{text}"""'
    return head, body


def _split(source: str) -> tuple[str, str]:
    """Cut a function behind its docstring, or behind its signature if it has none."""
    function = ast.parse(source).body[0]
    first = function.body[0]
    has_docstring = ast.get_docstring(function) is not None
    start = first.end_lineno if has_docstring else first.lineno - 1
    lines = source.splitlines()
    return "\n".join(lines[:start]), "".join(f"\n{line}" for line in lines[start:])


def _parses(source: str) -> bool:
    try:
        ast.parse(source)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False
    return True


@lru_cache(maxsize=256)
def _states(propose: Proposer, text: str, function: str, runs: int) -> tuple[str, ...]:
    """Return a file as it is, with each version of a function, and as it was; the file
    alone if there is nothing to try.
    """
    nodes = ast.parse(text).body if _parses(text) else []
    found = [node for node in nodes if getattr(node, "name", "") == function]
    if not found:
        return (text,)
    source = ast.get_source_segment(text, found[0])
    versions = [
        one for one in dict.fromkeys(propose(source)) if one != source and _parses(one)
    ]
    tried = [text.replace(source, one) for one in versions[:runs]]
    return (text, *tried, text) if tried else (text,)


def _call(name: str, **arguments: str) -> str:
    return write_call(ToolCall(name, arguments))
