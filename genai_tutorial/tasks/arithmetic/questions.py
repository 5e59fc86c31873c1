"""Arithmetic questions, the split that keeps the same numbers out of both parts, ways
to write an answer, and the judge that reads one final answer or none; then questions as
tokens, and what several sampled answers say about a model.

Two ideas, alone and together: a scratchpad of partial results before the answer, and
all digits backwards, the ones first, so that each carry is known before it is needed.
"""

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from genai_tutorial.alignment import Example, Rows, masked_sum, pad_examples
from genai_tutorial.generation import (
    Rollouts,
    SampledAnswer,
    generate_rollouts,
    self_consistency,
)
from genai_tutorial.metrics import pass_at_k
from genai_tutorial.tasks import check_choice, check_same_length, own_source
from genai_tutorial.tokenization import CharacterTokenizer
from genai_tutorial.transformer import DecoderLM

SUMS = own_source(
    "Sums",
    "random_sums",
    "as many sums of four two-digit numbers as wanted, a tenth held out",
    "writes",
)

Operation = Literal["+", "*"]

HELD_OUT_SHARE = 10  # one in so many sets of numbers is held out


@dataclass(frozen=True)
class ArithmeticQuestion:
    """Numbers joined by one operation.

    Raises:
        ValueError: If there are fewer than two numbers, one is negative, or the
            operation is unknown.

    >>> question = ArithmeticQuestion((16, 27, 72, 84))
    >>> question.text, question.answer
    ('16+27+72+84=', 199)
    """

    numbers: tuple[int, ...]
    operation: Operation = "+"

    def __post_init__(self):
        if len(self.numbers) < 2 or min(self.numbers) < 0:
            raise ValueError(
                "A question has at least two numbers, none of them negative; got "
                f"{self.numbers}."
            )
        check_choice("operation", self.operation, Operation)

    @property
    def text(self) -> str:
        """The question as the model reads it."""
        return self.operation.join(map(str, self.numbers)) + "="

    @property
    def answer(self) -> int:
        """The correct answer."""
        return self.partial_results()[-1]

    def partial_results(self) -> list[int]:
        """Return the result after each further number, the answer last.

        >>> ArithmeticQuestion((16, 27, 72, 84)).partial_results()
        [43, 115, 199]
        """
        result, results = self.numbers[0], []
        for number in self.numbers[1:]:
            result = result + number if self.operation == "+" else result * number
            results.append(result)
        return results


def is_held_out(question: ArithmeticQuestion) -> bool:
    """Return whether a question belongs to the tenth that no model is trained on.

    A hash of the sorted numbers decides. Therefore, 16+27+72+84 and 84+16+27+72 are
    always in the same part, although they are different texts.

    >>> one, other = (16, 27, 72, 84), (84, 16, 27, 72)
    >>> is_held_out(ArithmeticQuestion(one)) == is_held_out(ArithmeticQuestion(other))
    True
    """
    name = question.operation.join(map(str, sorted(question.numbers)))
    digest = hashlib.blake2b(name.encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") % HELD_OUT_SHARE == 0


def random_sums(
    count: int, seed: int, *, held_out: bool = False
) -> list[ArithmeticQuestion]:
    """Return random sums of four two-digit numbers, which may repeat.

    Args:
        held_out: Which part: the tenth for testing, or the rest for training.
    """
    draw = random.Random(f"sums {seed}")
    return _draw(
        count,
        held_out,
        lambda: ArithmeticQuestion(tuple(draw.randint(10, 99) for _ in range(4))),
    )


def random_products(
    count: int, seed: int, *, held_out: bool = False
) -> list[ArithmeticQuestion]:
    """Return random products of two two-digit numbers, as `random_sums` does sums."""
    draw = random.Random(f"products {seed}")
    return _draw(
        count,
        held_out,
        lambda: ArithmeticQuestion((draw.randint(10, 99), draw.randint(10, 99)), "*"),
    )


def _draw(
    count: int, held_out: bool, draw: Callable[[], ArithmeticQuestion]
) -> list[ArithmeticQuestion]:
    questions: list[ArithmeticQuestion] = []
    while len(questions) < count:
        question = draw()
        if is_held_out(question) == held_out:
            questions.append(question)
    return questions


AnswerFormat = Callable[[ArithmeticQuestion], str]
"""A function that writes the answer to a question."""

SEPARATOR, ANSWER_MARK = ",", ";"
"""The separators between partial results, and before the final answer."""


def direct(question: ArithmeticQuestion) -> str:
    """Write the answer alone.

    >>> direct(ArithmeticQuestion((16, 27, 72, 84)))
    '199'
    """
    return str(question.answer)


def backwards(question: ArithmeticQuestion) -> str:
    """Write the answer alone, the ones first.

    >>> backwards(ArithmeticQuestion((16, 27, 72, 84)))
    '991'
    """
    return direct(question)[::-1]


def scratchpad(question: ArithmeticQuestion) -> str:
    """Write the partial results, then the answer: for a sum the total after each
    number, for a product the products with each digit of the second number.

    >>> scratchpad(ArithmeticQuestion((16, 27, 72, 84)))
    '43,115;199'
    >>> scratchpad(ArithmeticQuestion((82, 83), "*"))
    '246,6560;6806'
    """
    *steps, answer = map(str, _steps(question))
    return SEPARATOR.join(steps) + ANSWER_MARK + answer


def backward_scratchpad(question: ArithmeticQuestion) -> str:
    """Write the partial results, then the answer, each number with its ones first.

    Source: Lee et al., Teaching Arithmetic to Small Transformers,
        https://arxiv.org/abs/2307.03381 (reversed digits, and scratchpads, each alone)

    >>> backward_scratchpad(ArithmeticQuestion((16, 27, 72, 84)))
    '34,511;991'
    """
    *steps, answer = (str(step)[::-1] for step in _steps(question))
    return SEPARATOR.join(steps) + ANSWER_MARK + answer


def _steps(question: ArithmeticQuestion) -> list[int]:
    if question.operation != "*":
        return question.partial_results()
    if len(question.numbers) > 2:
        raise ValueError(
            "The scratchpad of a product is for two numbers, got "
            f"{len(question.numbers)}."
        )
    first, second = question.numbers
    digits = enumerate(map(int, str(second)[::-1]))
    return [*(first * digit * 10**place for place, digit in digits), first * second]


def final_answer(text: str, *, backwards: bool) -> int | None:
    """Return the number that an answer commits to; None if there is not exactly one."""
    *working, answer = text.split(ANSWER_MARK)
    if len(working) > 1 or not (answer.isascii() and answer.isdigit()):
        return None
    digits = answer[::-1] if backwards else answer
    return int(digits) if str(int(digits)) == digits else None


def is_worked(text: str) -> bool:
    """Return whether an answer has a scratchpad before its final answer."""
    working, mark, _ = text.partition(ANSWER_MARK)
    return bool(mark and working)


def correct_answers(
    questions: Sequence[ArithmeticQuestion], texts: Sequence[str], *, backwards: bool
) -> list[bool]:
    """Return for each answer whether its final answer is correct.

    Args:
        backwards: If true, the ones come first.
    """
    check_same_length(questions=questions, answers=texts)
    return [
        final_answer(text, backwards=backwards) == question.answer
        for question, text in zip(questions, texts, strict=True)
    ]


ARITHMETIC_TOKENIZER = CharacterTokenizer("\n0123456789+-*=,;")
"""One token per character; the newline ends an answer. The minus sign is for tasks of
your own.
"""

END_TOKEN = ARITHMETIC_TOKENIZER.encode("\n")[0]
"""The token that ends an answer."""

MAX_SUM_TOKENS = 20
"""No answer in any format of the task is longer, its end token included."""


def encode_examples(
    questions: Sequence[ArithmeticQuestion], write: AnswerFormat
) -> list[Example]:
    """Return questions with their answers in one format, as tokens.

    >>> from genai_tutorial.tasks.arithmetic import direct
    >>> encode_examples([ArithmeticQuestion((1, 2))], direct)
    [Example(prompt=(2, 11, 3, 14), answer=(4, 0))]
    """
    encode = ARITHMETIC_TOKENIZER.encode
    return [
        Example(tuple(encode(question.text)), (*encode(write(question)), END_TOKEN))
        for question in questions
    ]


def encode_questions(questions: Sequence[ArithmeticQuestion]) -> list[list[int]]:
    """Return the tokens of each question."""
    return [ARITHMETIC_TOKENIZER.encode(question.text) for question in questions]


def example_rows(questions: Sequence[ArithmeticQuestion], write: AnswerFormat) -> Rows:
    """Return one padded row per question, for `TensorBatches` and `supervised_loss`."""
    return pad_examples(encode_examples(questions, write))


def answer_texts(rollouts: Rollouts) -> list[str]:
    """Return the text of each answer, without its end."""
    return [ARITHMETIC_TOKENIZER.decode(answer) for answer in rollouts.answers()]


def answer_questions(
    model: DecoderLM,
    questions: Sequence[ArithmeticQuestion],
    *,
    temperature: float | int = 0,
) -> list[str]:
    """Return a model's answer to each question.

    Args:
        temperature: 0 for greedy decoding.
    """
    rollouts = generate_rollouts(
        model,
        encode_questions(questions),
        MAX_SUM_TOKENS,
        end_token=END_TOKEN,
        temperature=temperature,
        generator=torch.Generator().manual_seed(0),
    )
    return answer_texts(rollouts)


@dataclass(frozen=True)
class AnswerReport:
    """Shares over all sampled answers, unless said otherwise.

    Attributes:
        sampled: The share of correct answers.
        vote: The share of questions that a vote over all samples answers correctly.
        worked: The share of answers with a scratchpad.
        tokens: The mean number of tokens of an answer, its end token included.
        pass_at: The mean of pass@k over questions, for k = 1, 2, 4 and so on.
    """

    sampled: float
    vote: float
    worked: float
    tokens: float
    pass_at: dict[int, float]


def sampled_answers(
    model: DecoderLM,
    questions: Sequence[ArithmeticQuestion],
    n: int,
    *,
    backwards: bool,
    seed: int = 0,
) -> list[list[SampledAnswer]]:
    """Return several answers to each question, sampled at temperature 1.

    Args:
        backwards: If true, the model writes the ones first.
    """
    rollouts = generate_rollouts(
        model,
        [ids for ids in encode_questions(questions) for _ in range(n)],
        MAX_SUM_TOKENS,
        end_token=END_TOKEN,
        generator=torch.Generator().manual_seed(seed),
    )
    flat = [
        SampledAnswer(final_answer(text, backwards=backwards), tokens, log_prob, text)
        for text, tokens, log_prob in zip(
            answer_texts(rollouts),
            rollouts.mask.sum(dim=1).tolist(),
            masked_sum(rollouts.log_probs, rollouts.mask).tolist(),
            strict=True,
        )
    ]
    return [flat[start : start + n] for start in range(0, len(flat), n)]


def report_answers(
    samples: Sequence[Sequence[SampledAnswer]], questions: Sequence[ArithmeticQuestion]
) -> AnswerReport:
    """Return a report on a model from its samples.

    Args:
        samples: Equally many answers to each question.

    Raises:
        ValueError: If there are no questions, or not one row of samples for each.
    """
    if not questions or len(samples) != len(questions):
        raise ValueError(
            "Each question needs a row of samples, got "
            f"{len(questions)} questions and {len(samples)} rows."
        )
    flat = [sample for row in samples for sample in row]
    n = len(samples[0])
    rows = list(zip(samples, questions, strict=True))
    correct = [
        sum(sample.answer == question.answer for sample in row)
        for row, question in rows
    ]
    votes = sum(self_consistency(row).answer == q.answer for row, q in rows)
    return AnswerReport(
        sampled=sum(correct) / len(flat),
        vote=votes / len(rows),
        worked=sum(is_worked(sample.text) for sample in flat) / len(flat),
        tokens=sum(sample.tokens for sample in flat) / len(flat),
        pass_at={
            k: sum(pass_at_k(n, right, k) for right in correct) / len(correct)
            for k in (2**power for power in range(n.bit_length()))
        },
    )
