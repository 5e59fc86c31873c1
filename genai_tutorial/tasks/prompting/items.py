"""The prompting tasks: words in text files, and questions made by rules."""

import json
import random
from collections.abc import Callable
from itertools import islice

from genai_tutorial.tasks import read_words

from .task import (
    MARKER,
    PromptExample,
    PromptTask,
    judge_json,
    judge_label,
    judge_letter,
    judge_number,
    judge_text,
)

COSMETIC_FORMATS = (
    "Verb: {question}\nPast tense: {answer}",
    "verb: {question}\npast tense: {answer}",
    "VERB: {question}\nPAST TENSE: {answer}",
    "Verb:: {question}\nPast tense:: {answer}",
    "Verb - {question}\nPast tense - {answer}",
    "Verb: {question} || Past tense: {answer}",
)
"""Six formats with the same words, which differ in case and punctuation only."""

PAST_TENSE_FORMATS = (
    *COSMETIC_FORMATS,
    "Q: What is the past tense of {question}?\nA: {answer}",
    "Input: {question}\nOutput: {answer}",
    "{question} -> {answer}",
    "{question} => {answer}",
    "{question}, {answer}",
    "<verb>{question}</verb><past>{answer}</past>",
)
"""The cosmetic formats, and six that say more or less about the task."""


_HEADS = {
    name: (name, instruction, f"{asked}\n{answered}")
    for name, instruction, asked, answered in read_words("prompting", "tasks")
}
"""The name, the instruction and the template of each task."""


def _pairs(name: str) -> tuple[tuple[PromptExample, ...], ...]:
    """Return items and pool from lines such as "go: went, open: shut/close"."""
    parts = []
    for lines in read_words("prompting", name):
        examples = []
        for pair in ",".join(lines).split(","):
            question, _, answers = pair.partition(":")
            first, *also = (answer.strip() for answer in answers.split("/"))
            examples.append(PromptExample(question.strip(), first, also=tuple(also)))
        parts.append(tuple(examples))
    return tuple(parts)


PAST_TENSE = PromptTask(*_HEADS["past tense"], *_pairs("past_tense"), judge_text)

ANTONYMS = PromptTask(*_HEADS["antonyms"], *_pairs("antonyms"), judge_text)

CAPITALS = PromptTask(*_HEADS["capitals"], *_pairs("capitals"), judge_text)


def _two_labels(name: str, file: str, labels: tuple[str, str]) -> PromptTask:
    """Return a task whose file has the items of the first label, the items of the
    second, and the pools of both; the two labels take turns.
    """
    texts = read_words("prompting", file)
    items, pool = (
        tuple(
            PromptExample(text, label)
            for pair in zip(*texts[start : start + 2], strict=True)
            for text, label in zip(pair, labels, strict=True)
        )
        for start in (0, 2)
    )
    return PromptTask(*_HEADS[name], items, pool, judge_label(labels), labels)


SENTIMENT = _two_labels("sentiment", "sentiment", ("positive", "negative"))
"""The sentiment of short reviews that were written for this book."""

ANIMAL_OR_FRUIT = _two_labels(
    "animal or fruit", "animals_and_fruits", ("animal", "fruit")
)

INVENTED_LABELS = _two_labels("invented labels", "animals_and_fruits", ("blix", "zorp"))
"""Animals are called blix and fruits zorp: the labels say nothing, so only the
demonstrations do.
"""

_POOL_SIZE = 24  # demonstrations of the tasks made by rules
_NAMES, _THINGS, _BOXES, _PEOPLE, _TOWNS = read_words("prompting", "names_and_things")


def _distinct(
    make: Callable[[random.Random], PromptExample], items: int, seed: int
) -> tuple[tuple[PromptExample, ...], tuple[PromptExample, ...]]:
    """Return `items` test items and a pool; no question occurs twice."""
    rng, seen = random.Random(seed), {}
    while len(seen) < items + _POOL_SIZE:
        example = make(rng)
        seen.setdefault(example.question, example)
    drawn = iter(seen.values())
    return tuple(islice(drawn, items)), tuple(drawn)


def _one_digit_sum(rng: random.Random) -> PromptExample:
    a, b = rng.randint(1, 9), rng.randint(1, 9)
    return PromptExample(f"{a} + {b}", str(a + b))


def _two_digit_sum(rng: random.Random) -> PromptExample:
    a, b = rng.randint(10, 99), rng.randint(10, 99)
    ones, tens = a % 10 + b % 10, a // 10 + b // 10
    carry = ones // 10
    worked = (
        f"Ones: {a % 10} + {b % 10} = {ones}. "
        f"Tens: {a // 10} + {b // 10} + {carry} = {tens + carry}. {MARKER} {a + b}"
    )
    return PromptExample(f"{a} + {b}", str(a + b), worked)


def _word_problem(rng: random.Random) -> PromptExample:
    name, thing, box = rng.choice(_NAMES), rng.choice(_THINGS), rng.choice(_BOXES)
    boxes, each = rng.randint(2, 5), rng.randint(2, 6)
    together = boxes * each
    gets = rng.random() < 0.5
    other = rng.randint(2, 9) if gets else rng.randint(1, min(9, together - 1))
    total = together + other if gets else together - other
    action = f"gets {other} more" if gets else f"gives away {other}"
    sign = "+" if gets else "-"
    question = (
        f"{name} has {boxes} {box} with {each} {thing} each and {action}. "
        f"How many {thing} does {name} have?"
    )
    worked = (
        f"{boxes} {box} with {each} {thing} are {boxes} * {each} = {together} {thing}. "
        f"{together} {sign} {other} = {total}. {MARKER} {total}"
    )
    return PromptExample(question, str(total), worked)


def _letter_pattern(rng: random.Random) -> PromptExample:
    a, b = rng.sample("bcdefghjklmnopqrstuvwxyz", 2)  # no letter that is a word
    unit = rng.choice([a + b, a + a + b, a + b + b])
    letters = (unit * 5)[: rng.choice([6, 7, 8])]
    following = (unit * 5)[len(letters)]
    return PromptExample(" ".join(letters), following)


def _facts(rng: random.Random) -> PromptExample:
    name, age, town = rng.choice(_PEOPLE), rng.randint(18, 79), rng.choice(_TOWNS)
    sentence = rng.choice(
        [
            f"{name} is {age} years old and lives in {town}.",
            f"{name} lives in {town} and is {age} years old.",
            f"In {town} we met {name}, who is {age}.",
        ]
    )
    return PromptExample(sentence, json.dumps({"name": name, "age": age, "city": town}))


ONE_DIGIT_SUMS = PromptTask(
    *_HEADS["1-digit sums"], *_distinct(_one_digit_sum, 54, seed=0), judge_number
)

TWO_DIGIT_SUMS = PromptTask(
    *_HEADS["2-digit sums"], *_distinct(_two_digit_sum, 60, seed=1), judge_number
)

WORD_PROBLEMS = PromptTask(
    *_HEADS["word problems"], *_distinct(_word_problem, 60, seed=2), judge_number
)

LETTER_PATTERNS = PromptTask(
    *_HEADS["letter patterns"], *_distinct(_letter_pattern, 52, seed=3), judge_letter
)

JSON_FACTS = PromptTask(
    *_HEADS["JSON"], *_distinct(_facts, 54, seed=4), judge_json, max_new_tokens=32
)

PROMPT_TASKS = (
    PAST_TENSE, ANTONYMS, CAPITALS, ANIMAL_OR_FRUIT, SENTIMENT, INVENTED_LABELS,
    JSON_FACTS, ONE_DIGIT_SUMS, TWO_DIGIT_SUMS, WORD_PROBLEMS, LETTER_PATTERNS,
)  # fmt: skip
"""All tasks of the package."""
