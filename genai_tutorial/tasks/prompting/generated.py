"""Tasks whose items are made by rules: sums, word problems in two steps, letter
patterns, and facts as JSON.
"""

import json
import random
from collections.abc import Callable
from itertools import islice

from .judge import MARKER, judge_json, judge_letter, judge_number
from .prompt import PromptExample
from .task import PromptTask, split_words

POOL = 24


def _distinct(
    make: Callable[[random.Random], PromptExample], items: int, seed: int
) -> tuple[tuple[PromptExample, ...], tuple[PromptExample, ...]]:
    """Return test items and a pool; no question occurs twice."""
    rng, seen = random.Random(seed), {}
    while len(seen) < items + POOL:
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


NAMES = split_words("Ann Ben Carla Dan Emma Finn Greta Hugo Ida Jack")
THINGS = split_words("apples pens books coins stamps eggs shells cards")
BOXES = split_words("bags boxes baskets packs")


def _word_problem(rng: random.Random) -> PromptExample:
    name, thing, box = rng.choice(NAMES), rng.choice(THINGS), rng.choice(BOXES)
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


PEOPLE = split_words("""
    Alice Boris Clara David Elena Frank Gina Henry Irene Jonas Karen Louis Maria
    Nadia Oscar Paula Quentin Rosa Simon Tanya Ulrich Vera Walter Yara
""")
TOWNS = split_words("Paris London Madrid Berlin Rome Vienna Oslo Dublin Athens Lisbon")


def _facts(rng: random.Random) -> PromptExample:
    name, age, town = rng.choice(PEOPLE), rng.randint(18, 79), rng.choice(TOWNS)
    sentence = rng.choice(
        [
            f"{name} is {age} years old and lives in {town}.",
            f"{name} lives in {town} and is {age} years old.",
            f"In {town} we met {name}, who is {age}.",
        ]
    )
    return PromptExample(sentence, json.dumps({"name": name, "age": age, "city": town}))


_ITEMS, _POOL = _distinct(_one_digit_sum, 54, seed=0)
ONE_DIGIT_SUMS = PromptTask(
    name="1-digit sums",
    instruction="Add the two numbers. Answer with the number only.",
    template="Sum: {question}\nResult: {answer}",
    items=_ITEMS,
    pool=_POOL,
    judge=judge_number,
)

_ITEMS, _POOL = _distinct(_two_digit_sum, 60, seed=1)
TWO_DIGIT_SUMS = PromptTask(
    name="2-digit sums",
    instruction="Add the two numbers. Answer with the number only.",
    template="Sum: {question}\nResult: {answer}",
    items=_ITEMS,
    pool=_POOL,
    judge=judge_number,
)

_ITEMS, _POOL = _distinct(_word_problem, 60, seed=2)
WORD_PROBLEMS = PromptTask(
    name="word problems",
    instruction="Solve the problem. Answer with the number only.",
    template="Question: {question}\nSolution: {answer}",
    items=_ITEMS,
    pool=_POOL,
    judge=judge_number,
)

_ITEMS, _POOL = _distinct(_letter_pattern, 52, seed=3)
LETTER_PATTERNS = PromptTask(
    name="letter patterns",
    instruction="Which letter comes next? Answer with one letter.",
    template="Letters: {question}\nNext: {answer}",
    items=_ITEMS,
    pool=_POOL,
    judge=judge_letter,
)

_ITEMS, _POOL = _distinct(_facts, 54, seed=4)
JSON_FACTS = PromptTask(
    name="JSON",
    instruction="Write the facts as one line of JSON with the keys name, age and city.",
    template="Text: {question}\nJSON: {answer}",
    items=_ITEMS,
    pool=_POOL,
    judge=judge_json,
    max_new_tokens=32,
)
