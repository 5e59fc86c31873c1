"""Prompts: a template, an instruction and demonstrations, rendered as a text to
continue or as a conversation.
"""

from dataclasses import dataclass
from typing import Literal

from genai_tutorial.tokenization import SMOLLM2_CHAT, BPETokenizer, Message

QUESTION, ANSWER = "{question}", "{answer}"

Layout = Literal["completion", "instructed completion", "chat", "chat with system"]

LAYOUTS: tuple[Layout, ...] = (
    "completion",
    "instructed completion",
    "chat",
    "chat with system",
)
"""The ways to lay out the same prompt: as a text to continue, without or with the
instruction, or as a conversation with the instruction in the user's first turn or in
the system turn.
"""


@dataclass(frozen=True)
class PromptExample:
    """A question with its right answer: a test item or a demonstration.

    Attributes:
        question: The question, as the template shows it.
        worked: The answer with its reasoning, ending with "Answer:" and the answer;
            empty if the task has none.
        also: Other answers that are right.
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
        demonstrations: Solved examples, shown before the question.
        instruction: What to do, in words; empty for none.
        separator: The text between two examples.
        worked: Whether demonstrations show their reasoning.

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
    separator: str = "\n\n"
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
        return self.separator.join([*parts, *shown, self._asked(question)])

    def messages(self, question: str, system: bool = False) -> list[Message]:
        """Return the conversation: each demonstration is a pair of turns.

        Args:
            question: The question of the last turn.
            system: Put the instruction into the system turn instead of the user's
                first.
        """
        asked = [self._asked(example.question) for example in self.demonstrations]
        asked.append(self._asked(question))
        turns = []
        if self.instruction and system:
            turns.append(Message("system", self.instruction))
        elif self.instruction:
            asked[0] = f"{self.instruction}{self.separator}{asked[0]}"
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
        """What stands before the question, between both fields, and at the end."""
        before, _, rest = self.template.partition(QUESTION)
        between, _, after = rest.partition(ANSWER)
        return before, between, after

    def _asked(self, question: str) -> str:
        before, between, _ = self._parts
        return before + question + between.rstrip(" ")

    def _answer(self, example: PromptExample) -> str:
        return example.worked if self.worked else example.answer


def encode_prompt(
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
    if layout not in LAYOUTS:
        raise ValueError(f"layout must be one of {', '.join(LAYOUTS)}; got {layout!r}.")
    if layout in ("chat", "chat with system"):
        messages = prompt.messages(question, system=layout == "chat with system")
        return SMOLLM2_CHAT.encode(tokenizer, messages)
    if layout == "completion":
        prompt = Prompt(
            prompt.template,
            prompt.demonstrations,
            separator=prompt.separator,
            worked=prompt.worked,
        )
    return tokenizer.encode(prompt.render(question), special_as_text=True)
