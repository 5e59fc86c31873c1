"""Drawing the question of a task at random, with the calls that answer it."""

import random
from collections.abc import Callable

from genai_tutorial.agents import ToolCall
from genai_tutorial.tasks.agent.world import World

_SIGNS = {"plus": "+", "minus": "-", "times": "*"}
_NOUNS = {"capital": "capital", "currency": "currency", "domain": "internet domain"}

Drawn = tuple[str, list[tuple[ToolCall, str]]]
"""A question, and the calls that answer it with their results."""


def _arithmetic(world: World, generator: random.Random, held_out: bool) -> Drawn:
    word = generator.choice(list(_SIGNS))
    a, b = generator.randint(20, 999), generator.randint(12, 99)
    if word == "plus":
        b = generator.randint(100, 999)
    taught = (f"What is {a} {word} {b}?", f"Compute {a} {_SIGNS[word]} {b}.")
    imperative = {
        "plus": f"Add {a} and {b}.",
        "minus": f"Subtract {b} from {a}.",
        "times": f"Multiply {a} by {b}.",
    }
    new = (f"How much is {a} {word} {b}?", imperative[word])
    return _pick(generator, taught, new, held_out), [_calculated(a, _SIGNS[word], b)]


def _factbook(world: World, generator: random.Random, held_out: bool) -> Drawn:
    field = generator.choice(list(_NOUNS))
    country = generator.choice(world.countries(field))
    noun = _NOUNS[field]
    taught = (f"What is the {noun} of {country}?", f"Name the {noun} of {country}.")
    new = (
        f"Which {noun} does {country} have?",
        f"Tell me the {noun} that {country} has.",
    )
    question = _pick(generator, taught, new, held_out)
    return question, [_looked_up(world, country, field)]


def _files(world: World, generator: random.Random, held_out: bool) -> Drawn:
    name = generator.choice(sorted(world.files))
    lines = world.files[name].splitlines()
    if len(lines) == 1:
        taught = (f"What does the file {name} say?", f"Read the file {name}.")
        new = (f"What is written in {name}?", f"Show me what is in {name}.")
        steps = [(ToolCall("read_file", {"path": name}), lines[0])]
    else:
        taught = (
            f"How many lines does the file {name} have?",
            f"Count the lines of {name}.",
        )
        new = (
            f"How many lines are there in {name}?",
            f"Tell me how long {name} is, in lines.",
        )
        steps = [_counted_lines(world, name)]
    return _pick(generator, taught, new, held_out), steps


def _words(world: World, generator: random.Random, held_out: bool) -> Drawn:
    word = generator.choice(world.words)
    taught = (
        f"How many letters does the word {word} have?",
        f"Count the letters of {word}.",
    )
    new = (
        f"How many letters are there in {word}?",
        f"Tell me how long the word {word} is, in letters.",
    )
    return _pick(generator, taught, new, held_out), [_counted_letters(word)]


def _python(world: World, generator: random.Random, held_out: bool) -> Drawn:
    word, n = generator.choice(world.words), generator.randint(3, 40)
    numbers = [generator.randint(1, 60) for _ in range(4)]
    code, output = generator.choice(
        (
            (f"print(sum(range({n})))", str(sum(range(n)))),
            (f"print(max({numbers}))", str(max(numbers))),
            (f"print(sorted({numbers})[0])", str(min(numbers))),
            (f"print('{word}'[::-1])", word[::-1]),
            (f"print('{word}'.upper())", word.upper()),
            (f"print({n} ** 2 % 7)", str(n**2 % 7)),
        )
    )
    taught = (
        f"What does this Python code print: {code}",
        f"Run this Python code: {code}",
    )
    new = (
        f"What is the output of this Python code: {code}",
        f"Tell me what this program prints: {code}",
    )
    steps = [(ToolCall("run_python", {"code": code}), output)]
    return _pick(generator, taught, new, held_out), steps


def _two_steps(world: World, generator: random.Random, held_out: bool) -> Drawn:
    if generator.random() < 0.5:
        country = generator.choice(world.countries("capital"))
        found = _looked_up(world, country, "capital")
        taught = (
            f"How many letters does the capital of {country} have?",
            f"Count the letters of the capital of {country}.",
        )
        new = (
            f"How many letters are there in the name of the capital of {country}?",
            f"Tell me how long the name of the capital of {country} is, in letters.",
        )
        steps = [found, _counted_letters(found[1])]
    else:
        name = generator.choice(
            [name for name, text in sorted(world.files.items()) if text.count("\n") > 1]
        )
        n = generator.randint(3, 30)
        counted = _counted_lines(world, name)
        taught = (
            f"What is {n} times the number of lines of {name}?",
            f"Compute {n} * the number of lines of {name}.",
        )
        new = (
            f"How much is {n} times the number of lines in {name}?",
            f"Multiply the number of lines in {name} by {n}.",
        )
        steps = [counted, _calculated(n, "*", int(counted[1]))]
    return _pick(generator, taught, new, held_out), steps


def _writing(world: World, generator: random.Random, held_out: bool) -> Drawn:
    name, word = generator.choice(sorted(world.files)), generator.choice(world.words)
    taught = (f"Write {word} into the file {name}.", f"Save {word} in {name}.")
    new = (f"Put {word} into {name}.", f"Make a file {name} that says {word}.")
    step = (ToolCall("write_file", {"path": name, "text": word}), f"{name} is written.")
    return _pick(generator, taught, new, held_out), [step]


DRAW: dict[str, Callable[[World, random.Random, bool], Drawn]] = {
    "arithmetic": _arithmetic,
    "Factbook": _factbook,
    "files": _files,
    "words": _words,
    "Python": _python,
    "two steps": _two_steps,
    "writing": _writing,
}
"""For each family a function that draws a question, in a held-out phrasing or not."""


def _calculated(a: int, sign: str, b: int) -> tuple[ToolCall, str]:
    value = {"+": a + b, "-": a - b, "*": a * b}[sign]
    return ToolCall("calculator", {"expression": f"{a} {sign} {b}"}), str(value)


def _looked_up(world: World, country: str, field: str) -> tuple[ToolCall, str]:
    call = ToolCall("factbook_lookup", {"country": country, "field": field})
    return call, world.fact(country, field)


def _counted_lines(world: World, name: str) -> tuple[ToolCall, str]:
    lines = len(world.files[name].splitlines())
    return ToolCall("count_lines", {"path": name}), str(lines)


def _counted_letters(word: str) -> tuple[ToolCall, str]:
    letters = sum(letter.isalpha() for letter in word)
    return ToolCall("count_letters", {"word": word}), str(letters)


def _pick(
    generator: random.Random,
    taught: tuple[str, ...],
    new: tuple[str, ...],
    held_out: bool,
) -> str:
    return generator.choice(new if held_out else taught)
