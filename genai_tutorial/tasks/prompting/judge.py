"""Two judges of an answer: strict, the answer and nothing else; and lenient, the answer
anywhere in the text.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .prompt import PromptExample

MARKER = "Answer:"
"""What stands before the final answer of a text that shows its reasoning."""


@dataclass(frozen=True)
class Verdict:
    """Whether an answer is right.

    Attributes:
        strict: The first line is the answer, letter for letter.
        lenient: The answer is somewhere in the text.
    """

    strict: bool
    lenient: bool


Judge = Callable[[str, PromptExample], Verdict]
"""A function that compares a model's text with an item."""


def judge_text(text: str, item: PromptExample) -> Verdict:
    """Judge an answer of one word or a few."""
    right = (item.answer, *item.also)
    strict = first_line(text) in right
    return Verdict(strict, strict or any(_says(text, answer) for answer in right))


def judge_label(labels: Sequence[str]) -> Judge:
    """Return the judge of a choice among labels: the lenient one wants the right label
    somewhere, and no other.
    """

    def judge(text: str, item: PromptExample) -> Verdict:
        strict = first_line(text) == item.answer
        said = {label for label in labels if _says(text, label)}
        return Verdict(strict, strict or said == {item.answer})

    return judge


def judge_number(text: str, item: PromptExample) -> Verdict:
    """Judge a number: the lenient judge takes the last one in the text."""
    numbers = re.findall(r"\d+", text)
    strict = first_line(text) == item.answer
    return Verdict(strict, strict or numbers[-1:] == [item.answer])


def judge_letter(text: str, item: PromptExample) -> Verdict:
    """Judge a letter: the lenient judge takes the last one that stands alone."""
    letters = re.findall(r"(?<!\w)[^\W\d_](?!\w)", text.lower())
    strict = first_line(text) == item.answer
    return Verdict(strict, strict or letters[-1:] == [item.answer])


def judge_json(text: str, item: PromptExample) -> Verdict:
    """Judge JSON: the strict judge parses the first line, the lenient one whatever is
    between the first brace and the last.
    """
    facts = json.loads(item.answer)
    found = re.search(r"\{.*\}", text, re.DOTALL)
    strict = _parsed(first_line(text)) == facts
    lenient = strict or (found is not None and _parsed(found[0]) == facts)
    return Verdict(strict, lenient)


def first_line(text: str) -> str:
    """Return the first line with text in it, after the last `MARKER` if there is one.

    >>> first_line("2 + 3 = 5. Answer: 5\\nQuestion:")
    '5'
    """
    final = text.rpartition(MARKER)[2].strip()
    return final.split("\n")[0].strip()


def write_verdicts(verdicts: Sequence[Verdict]) -> str:
    """Return one character per verdict: 2 for strictly right, 1 for right to the
    lenient judge only, 0 for wrong.

    >>> write_verdicts([Verdict(True, True), Verdict(False, True)])
    '21'
    """
    return "".join("2" if one.strict else str(int(one.lenient)) for one in verdicts)


def read_verdicts(text: str) -> list[Verdict]:
    """Return the verdicts that `write_verdicts` wrote.

    Raises:
        ValueError: If there is another character than 0, 1 and 2.
    """
    if not set(text) <= set("012"):
        raise ValueError(f"Verdicts are written with 0, 1 and 2 only, got {text!r}.")
    return [Verdict(character == "2", character != "0") for character in text]


def _says(text: str, answer: str) -> bool:
    pattern = rf"(?<!\w){re.escape(answer)}(?!\w)"
    return re.search(pattern, text, re.IGNORECASE) is not None


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None
