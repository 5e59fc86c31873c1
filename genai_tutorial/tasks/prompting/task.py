"""A prompting task: its prompts, rendered as a text to continue or as a conversation,
and two judges of an answer: strict, the answer and nothing else; and lenient, the
answer anywhere in the text.
"""

import json
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from genai_tutorial.tasks import check_choice, check_same_length
from genai_tutorial.tokenization import SMOLLM2_CHAT, BPETokenizer, Message

QUESTION, ANSWER = "{question}", "{answer}"
SEPARATOR = "\n\n"  # between two examples

Layout = Literal["completion", "instructed completion", "chat", "chat with system"]

LAYOUTS: tuple[Layout, ...] = get_args(Layout)
"""The ways to lay out the same prompt: as a text to continue, without or with the
instruction, or as a conversation with the instruction in the user's first turn or in
the system turn.
"""


@dataclass(frozen=True)
class PromptExample:
    """A question with its correct answer: a test item or a demonstration.

    Attributes:
        worked: The answer with its reasoning, ending with "Answer:" and the answer;
            empty if the task has none.
    """

    question: str
    answer: str
    worked: str = ""
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Prompt:
    r"""Everything around a question: instruction, demonstrations and their format.

    Attributes:
        template: The format of a question and its answer, with {question} and {answer}.
        instruction: The instruction in words; empty for none.
        worked: True if demonstrations show their reasoning.

    Raises:
        ValueError: If the template does not have {question} once and then {answer}
            once.

    >>> prompt = Prompt(
    ...     "Verb: {question}\nPast: {answer}", (PromptExample("go", "went"),)
    ... )
    >>> print(prompt.render("sing"))
    Verb: go
    Past: went
    <BLANKLINE>
    Verb: sing
    Past:
    """

    template: str
    demonstrations: tuple[PromptExample, ...] = ()
    instruction: str = ""
    worked: bool = False

    def __post_init__(self):
        counts = self.template.count(QUESTION), self.template.count(ANSWER)
        if counts != (1, 1) or ANSWER in self._parts[0]:
            raise ValueError(
                "The template must have {question} once and then {answer} once, got "
                f"{self.template!r}."
            )

    def render(self, question: str) -> str:
        """Return the text to continue: instruction, demonstrations and the question.

        It ends without a space. A space before the answer belongs to the answer's first
        token, and a prompt that already has it forces the model onto rarer tokens.
        """
        before, between, after = self._parts
        shown = [
            before + example.question + between + self._answer(example) + after
            for example in self.demonstrations
        ]
        parts = [self.instruction] if self.instruction else []
        return SEPARATOR.join([*parts, *shown, self._asked(question)])

    def messages(self, question: str, system: bool = False) -> list[Message]:
        """Return the conversation: each demonstration is a pair of turns.

        Args:
            system: Put the instruction into the system turn instead of the user's
                first.
        """
        asked = [self._asked(example.question) for example in self.demonstrations]
        asked.append(self._asked(question))
        turns = []
        if self.instruction and system:
            turns.append(Message("system", self.instruction))
        elif self.instruction:
            asked[0] = f"{self.instruction}{SEPARATOR}{asked[0]}"
        for text, example in zip(asked, self.demonstrations, strict=False):
            answer = Message("assistant", self._answer(example))
            turns += [Message("user", text), answer]
        return [*turns, Message("user", asked[-1])]

    def cut(self, answer: str) -> str:
        """Return an answer up to what the template has behind answers.

        >>> Prompt("<verb>{question}</verb><past>{answer}</past>").cut("went</past>")
        'went'
        """
        _, _, after = self._parts
        return answer.partition(after)[0] if after else answer

    @property
    def _parts(self) -> tuple[str, str, str]:
        """The text before the question, between both fields, and at the end."""
        before, _, rest = self.template.partition(QUESTION)
        between, _, after = rest.partition(ANSWER)
        return before, between, after

    def _asked(self, question: str) -> str:
        before, between, _ = self._parts
        return before + question + between.rstrip(" ")

    def _answer(self, example: PromptExample) -> str:
        return example.worked if self.worked else example.answer


def encode_few_shot_prompt(
    tokenizer: BPETokenizer,
    prompt: Prompt,
    question: str,
    layout: Layout = "completion",
) -> list[int]:
    """Return the tokens of a question in one of the `LAYOUTS`.

    Everything is encoded as ordinary text; only the chat template sets special tokens.

    Raises:
        ValueError: If there is no such layout.
    """
    check_choice("layout", layout, Layout)
    if layout in ("chat", "chat with system"):
        messages = prompt.messages(question, system=layout == "chat with system")
        return SMOLLM2_CHAT.encode(tokenizer, messages)
    if layout == "completion":
        prompt = replace(prompt, instruction="")
    return tokenizer.encode(prompt.render(question), special_as_text=True)


MARKER = "Answer:"
"""The text before the final answer when the reasoning is shown."""


@dataclass(frozen=True)
class Verdict:
    """The verdict on whether an answer is correct.

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
    """Return the judge of a choice among labels: the lenient one wants the correct
    label somewhere, but no other.
    """

    def judge(text: str, item: PromptExample) -> Verdict:
        strict = first_line(text) == item.answer
        said = {label for label in labels if _says(text, label)}
        return Verdict(strict, strict or said == {item.answer})

    return judge


def judge_last(pattern: str) -> Judge:
    """Return the judge of a number or letter: the lenient one takes the last match of
    the pattern in the text.
    """

    def judge(text: str, item: PromptExample) -> Verdict:
        strict = first_line(text) == item.answer
        return Verdict(
            strict, strict or re.findall(pattern, text.lower())[-1:] == [item.answer]
        )

    return judge


judge_number = judge_last(r"\d+")
judge_letter = judge_last(r"(?<!\w)[^\W\d_](?!\w)")  # one that stands alone


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


@dataclass(frozen=True)
class PromptTask:
    """A task with what is needed to prompt for it and to judge the answers.

    Attributes:
        template: The format of a question and its answer; see `Prompt`.
        pool: Solved examples for demonstrations; none of them is a test item.
        labels: The possible answers, if the task is a choice.
        max_new_tokens: Room for an answer that says no more than it must.
    """

    name: str
    instruction: str
    template: str
    items: tuple[PromptExample, ...]
    pool: tuple[PromptExample, ...]
    judge: Judge
    labels: tuple[str, ...] = ()
    max_new_tokens: int = 12

    @property
    def questions(self) -> list[str]:
        """The questions of the test items."""
        return [item.question for item in self.items]

    def prompt(self, shots: int, seed: int = 0, worked: bool = False) -> Prompt:
        """Return a prompt with demonstrations drawn from the pool.

        With the same seed, more shots begin with the same demonstrations.

        Args:
            worked: Show the reasoning of the demonstrations.

        Raises:
            ValueError: If the pool has fewer demonstrations, or they have no reasoning
                to show.
        """
        if not 0 <= shots <= len(self.pool):
            raise ValueError(
                f"The pool of {self.name} has {len(self.pool)} demonstrations, so "
                f"shots must be from 0 to {len(self.pool)}; got {shots}."
            )
        drawn = tuple(random.Random(seed).sample(self.pool, len(self.pool))[:shots])
        if worked and not all(example.worked for example in drawn):
            raise ValueError(
                f"The demonstrations of {self.name} have no reasoning: use "
                "worked=False."
            )
        return Prompt(self.template, drawn, self.instruction, worked=worked)

    def verdicts(self, answers: Sequence[str]) -> list[Verdict]:
        """Judge one answer per item.

        Raises:
            ValueError: If there are more or fewer answers than items.
        """
        check_same_length(items=self.items, answers=answers)
        return [
            self.judge(answer, item)
            for answer, item in zip(answers, self.items, strict=True)
        ]
