"""Generated programming exercises, and training documents made of them: the program
from left to right, with a gap to fill, or with tests instead of a body.

An exercise combines a condition, a transformation and a reduction. A fifth of the
*combinations* is held out, so a model has seen each part of a held-out exercise, but
never the three together.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from genai_tutorial.alignment import Example, Rows, pack_examples
from genai_tutorial.corpus import (
    INFILL_TOKENS,
    Gap,
    Order,
    draw_gap,
    line_gaps,
    rearrange,
)
from genai_tutorial.tasks import own_source, read_words
from genai_tutorial.tokenization import GPT2_PATTERN, BPETokenizer, train_bpe

from .exercise_parts import (
    NUMBER_CONDITIONS,
    NUMBER_REDUCTIONS,
    NUMBER_TRANSFORMATIONS,
    TEXT_REDUCTIONS,
    WORD_CONDITIONS,
    WORD_TRANSFORMATIONS,
    Constants,
    ExerciseKind,
    PartCondition,
    Reduction,
    Transformation,
)

EXERCISES = own_source(
    "Programming exercises",
    "draw_exercises",
    "as many small functions on lists of numbers or words as wanted, each with a "
    "docstring, a reference program and test inputs",
    "writes",
)

HELD_OUT_SHARE = 0.2
"""The share of the combinations that no training document shows."""

FUNCTION_NAMES = ("solve", "compute", "answer", "process", "evaluate", "task")
PARAMETER_NAMES = {
    "number": ("numbers", "items", "data"),
    "text": ("words", "texts", "names"),
}
ITEM_NAMES = {"number": ("n", "x", "i"), "text": ("w", "s", "t")}
LETTERS = "abcdeilmnorst"
[WORDS] = read_words("code", "items")

ExercisePart = Literal["train", "held-out"]


@dataclass(frozen=True)
class Combination:
    """The task of an exercise, without its numbers and wording."""

    takes: ExerciseKind
    condition: PartCondition
    transformation: Transformation
    reduction: Reduction

    def expected(self, items: Sequence, constants: Constants) -> Any:
        """Return the correct answer for a list of items."""
        values = [
            self.transformation.apply(item, constants)
            for item in items
            if self.condition.keeps(item, constants)
        ]
        return self.reduction.apply(values, constants)


@dataclass(frozen=True)
class Exercise:
    """An exercise with its reference program.

    Attributes:
        prompt: The signature and the docstring, without a newline at the end.
        body: The lines of the reference program behind it; begins with a newline.
    """

    combination: Combination
    constants: Constants
    name: str
    prompt: str
    body: str

    @property
    def program(self) -> str:
        """The whole reference program."""
        return self.prompt + self.body

    def expected(self, items: Sequence) -> Any:
        """Return the correct answer for a list of items."""
        return self.combination.expected(items, self.constants)

    def inputs(self, count: int, seed: int) -> list[list]:
        """Return different lists to test a program with, the empty one first."""
        draws = random.Random(f"{self.prompt}{seed}")
        lists = [[]]
        while len(lists) < count:
            items = draw_items(draws, self.combination.takes, self.constants)
            if items not in lists:
                lists.append(items)
        return lists

    def tests(self, inputs: Sequence[Sequence]) -> str:
        """Return a line with an assertion for each input."""
        return "".join(
            f"\nassert {self.name}({items!r}) == {self.expected(items)!r}"
            for items in inputs
        )


@cache
def combinations(part: ExercisePart) -> tuple[Combination, ...]:
    """Return the combinations that training documents show, or the held-out ones.

    >>> len(combinations("held-out")) < len(combinations("train")) / 3
    True
    """
    every = [
        Combination(takes, condition, transformation, reduction)
        for takes, conditions, transformations in (
            ("number", NUMBER_CONDITIONS, NUMBER_TRANSFORMATIONS),
            ("text", WORD_CONDITIONS, WORD_TRANSFORMATIONS),
        )
        for condition in conditions
        for transformation in transformations
        for reduction in (
            NUMBER_REDUCTIONS if transformation.gives == "number" else TEXT_REDUCTIONS
        )
    ]
    random.Random(16).shuffle(every)
    held_out = round(HELD_OUT_SHARE * len(every))
    return tuple(every[:held_out] if part == "held-out" else every[held_out:])


def draw_exercise(draws: random.Random, part: ExercisePart) -> Exercise:
    """Draw an exercise: its combination, numbers, names, wording and style."""
    combination = draws.choice(combinations(part))
    constants = Constants(draws.randint(2, 9), draws.choice(LETTERS))
    name = draws.choice(FUNCTION_NAMES)
    parameter = draws.choice(PARAMETER_NAMES[combination.takes])
    item = draws.choice(ITEM_NAMES[combination.takes])
    docstring = _fill(_word(draws, combination, parameter), constants)
    body = _fill(_body(draws, combination, parameter, item), constants)
    prompt = f'def {name}({parameter}):\n    """{docstring}"""'
    return Exercise(combination, constants, name, prompt, body)


def draw_exercises(count: int, part: ExercisePart, seed: int) -> list[Exercise]:
    """Draw several exercises."""
    draws = random.Random(seed)
    return [draw_exercise(draws, part) for _ in range(count)]


def exercise_prompt(text: str) -> str:
    """Return the prompt of an exercise for a docstring; a text with a signature is its
    own prompt.

    Raises:
        ValueError: If the text is a docstring with three double quotes in it.

    >>> print(exercise_prompt("Return the longest of the words."))
    def solve(words):
        \"\"\"Return the longest of the words.\"\"\"
    """
    if text.startswith("def "):
        return text.rstrip()
    if '"""' in text:
        raise ValueError(f"A docstring ends at three double quotes, got {text!r}.")
    takes = "number"
    if any(word in text for word in ("words", "letters", "texts", "names")):
        takes = "text"
    return f'def solve({PARAMETER_NAMES[takes][0]}):\n    """{text}"""'


def draw_items(draws: random.Random, takes: ExerciseKind, constants: Constants) -> list:
    """Draw a list of items for an exercise; many are near its number."""
    count = draws.randint(1, 7)
    if takes == "text":
        return [draws.choice(WORDS) for _ in range(count)]
    near = constants.k * draws.randint(1, 2)
    return [
        draws.choice((near, near + draws.randint(-1, 1), draws.randint(-9, 19)))
        for _ in range(count)
    ]


def _word(draws: random.Random, combination: Combination, parameter: str) -> str:
    noun = "numbers" if combination.takes == "number" else "words"
    kept = _phrase(
        combination.condition.before,
        draws.choice((noun, parameter)),
        combination.condition.after,
    )
    verb = draws.choice(("Return", "Compute", "Find"))
    reduction = combination.reduction.phrase
    of, do = combination.transformation.of, combination.transformation.do
    if draws.random() < 0.5:
        return _phrase(verb, reduction, of, "the", kept) + "."
    first = draws.choice(("Take", "Keep", "Select"))
    steps = [_phrase(first, "the", kept)] + ([do] if do else [])
    return ", ".join(steps) + f" and {verb.lower()} {reduction} the results."


def _body(
    draws: random.Random, combination: Combination, parameter: str, item: str
) -> str:
    condition = _rename(combination.condition.code, item)
    result = _rename(combination.transformation.code, item)
    reduction = combination.reduction.code
    style = draws.choice(("comprehension", "loop", "two steps"))
    test = f" if {condition}" if condition else ""
    if style == "comprehension":
        lines = [f"values = [{result} for {item} in {parameter}{test}]"]
    elif style == "loop":
        inner = [f"values.append({result})"]
        if condition:
            inner = [f"if {condition}:", f"    {inner[0]}"]
        lines = ["values = []", f"for {item} in {parameter}:"]
        lines += [f"    {line}" for line in inner]
    else:
        lines = [
            f"kept = [{item} for {item} in {parameter}{test}]",
            f"values = [{result} for {item} in kept]",
        ]
    return "".join(f"\n    {line}" for line in [*lines, f"return {reduction}"])


def _rename(code: str, item: str) -> str:
    """Replace the variable `x`, which is never part of another name here."""
    parts = code.replace("max(", "\0").split("x")
    return item.join(parts).replace("\0", "max(")


def _fill(text: str, constants: Constants) -> str:
    return text.replace("{k}", str(constants.k)).replace("{c}", constants.c)


def _phrase(*parts: str) -> str:
    return " ".join(part for part in parts if part)


END, TESTS = "<|endoftext|>", "<|tests|>"
CODE_TOKENS = (END, *INFILL_TOKENS, TESTS)
"""The special tokens of a code model: the end of a document, the three markers of a gap
and the beginning of tests.
"""

Form = Literal["program", "line", "lines", "docstring", "tests"]

EXERCISE_MIXTURE: Mapping[Form, float] = {
    "program": 0.45,
    "line": 0.2,
    "lines": 0.1,
    "docstring": 0.15,
    "tests": 0.1,
}
"""The share of each form among the documents of a long training run."""

SHORT_MIXTURE: Mapping[Form, float] = {"program": 0.6, "line": 0.25, "tests": 0.15}
"""The same for half a minute of training, which is too short for the other forms."""

WITHOUT_GAPS: Mapping[Form, float] = {"program": 0.85, "tests": 0.15}
"""The same with whole programs instead of programs with a gap."""

ORDER: Order = "SPM"
"""The order of the pieces. The marker of the middle is followed by an ordinary program
up to its gap, so what the model has learned from ordinary programs helps at once.
"""

BODY_LINE = 2
"""The number of the first line of a body, behind the signature and the docstring."""


def exercise_document(exercise: Exercise, form: Form, draws: random.Random) -> str:
    """Return one training document, without its end."""
    if form == "program":
        return exercise.program
    if form == "tests":
        return exercise.prompt + TESTS + draw_tests(exercise, draws)
    gap = draw_gap(exercise.program, form, draws, BODY_LINE)
    return rearrange(gap, ORDER)


def draw_tests(exercise: Exercise, draws: random.Random) -> str:
    """Return three lines such as `assert solve([3, -4]) == 9`, with correct answers for
    lists of at most three items.
    """
    lists = [items[:3] for items in exercise.inputs(8, draws.randrange(10**9))[1:]]
    return exercise.tests(draws.sample(lists, 3))


def body_line_gaps(exercises: Sequence[Exercise]) -> list[Gap]:
    """Return a gap of one line in the body of each program: of the first line in the
    first program, of the second in the second, and so on.
    """
    every = [line_gaps(exercise.program, BODY_LINE) for exercise in exercises]
    return [gaps[number % len(gaps)] for number, gaps in enumerate(every)]


def exercise_documents(
    exercises: Sequence[Exercise], mixture: Mapping[Form, float], seed: int
) -> list[str]:
    """Return one document for each exercise, in forms drawn from a mixture."""
    draws = random.Random(seed)
    forms = draws.choices(
        list(mixture), weights=list(mixture.values()), k=len(exercises)
    )
    return [
        exercise_document(exercise, form, draws)
        for exercise, form in zip(exercises, forms, strict=True)
    ]


def train_code_tokenizer(documents: Sequence[str], vocab_size: int) -> BPETokenizer:
    """Train a tokenizer that has the special tokens of a code model.

    Its pre-tokenizer keeps punctuation and the newline behind it apart. GPT-4's joins
    them, so a prompt that ends in three quotes would end in a token that no program of
    the training data has there.
    """
    return train_bpe(documents, vocab_size, GPT2_PATTERN, CODE_TOKENS)


def encode_documents(
    tokenizer: BPETokenizer, documents: Sequence[str], length: int
) -> Rows:
    """Encode whole documents and pack them into rows.

    No document is cut. A row that began inside a rearranged document would teach the
    model to write markers in the middle of ordinary programs.

    Args:
        length: The number of tokens in a row; longer documents are left out.

    Raises:
        ValueError: If no document fits into a row.
    """
    end = tokenizer.special_tokens[END]
    encoded = [
        tokenizer.encode(document, allowed_special="all") for document in documents
    ]
    examples = [
        Example((end,), (*ids, end)) for ids in encoded if len(ids) + 2 <= length
    ]
    return pack_examples(examples, length)
