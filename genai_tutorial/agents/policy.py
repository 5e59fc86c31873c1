"""Policies, which decide an agent's next message: a language model or a script."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from genai_tutorial.agents.calls import CallError, parse_call
from genai_tutorial.generation import ConstrainedText, TokenMask, generate_all
from genai_tutorial.tokenization import BPETokenizer, ChatTemplate, Message
from genai_tutorial.transformer import DecoderLM

Conversation = Sequence[Message]
"""The task, and then in turn the agent's calls and their results."""

RESULT = "Result: "
"""The first word of the turns that show results."""


@dataclass(frozen=True)
class Reply:
    """A policy's next message.

    Attributes:
        text: A call, or the answer in words.
        tokens: The number of tokens that it cost.
    """

    text: str
    tokens: int = 0


@runtime_checkable
class Policy(Protocol):
    """The `Policy` protocol: decides the next message of an agent."""

    def replies(self, conversations: Sequence[Conversation]) -> list[Reply]:
        """Return the next message of each conversation."""
        ...


@dataclass
class ScriptedPolicy:
    """A policy that follows a script for each task, for tests and for tracing a loop by
    hand.

    Attributes:
        scripts: For each task the messages, in order; the last one is repeated.

    >>> policy = ScriptedPolicy({"Hello?": ["Hello!"]})
    >>> policy.replies([[Message("user", "Hello?")]])
    [Reply(text='Hello!', tokens=0)]
    """

    scripts: dict[str, Sequence[str]]

    def replies(self, conversations: Sequence[Conversation]) -> list[Reply]:
        """Return the next message of each conversation.

        Raises:
            ValueError: If there is no script for a task.
        """
        return [Reply(self._next(conversation)) for conversation in conversations]

    def _next(self, conversation: Conversation) -> str:
        task = conversation[0].content
        if task not in self.scripts:
            raise ValueError(f"There is no script for the task {task!r}.")
        said = sum(message.role == "assistant" for message in conversation)
        script = self.scripts[task]
        return script[min(said, len(script) - 1)]


Grammar = Callable[[Conversation], str]
"""Returns the regular expression of the next message, given the conversation."""


@dataclass(frozen=True)
class ModelPolicy:
    """A language model as policy: its likeliest message.

    Attributes:
        model: The language model.
        tokenizer: Its tokenizer.
        template: The chat template.
        context: Messages before the task: a system turn, solved examples.
        max_new_tokens: The largest number of tokens in a message.
        grammar: The form of the next message; None for any text.
        mask: The masks of the vocabulary for the grammar; made once and shared.
        batch_size: The number of conversations continued at once.

    Raises:
        ValueError: If there is a grammar and no mask.
    """

    model: DecoderLM
    tokenizer: BPETokenizer
    template: ChatTemplate
    context: tuple[Message, ...] = ()
    max_new_tokens: int = 48
    grammar: Grammar | None = None
    mask: TokenMask | None = field(default=None, repr=False)
    batch_size: int = 20

    def __post_init__(self) -> None:
        if self.grammar is not None and self.mask is None:
            raise ValueError(
                "A grammar needs masks: mask=TokenMask.from_tokenizer(tokenizer, end)."
            )

    @property
    def end_token(self) -> int:
        """The token that ends a message."""
        return self.tokenizer.special_tokens[self.template.end]

    def encode(self, conversation: Conversation) -> list[int]:
        """Return the tokens of a conversation, up to where the next message begins.

        Results are text from outside: the template encodes them as ordinary text, so
        that none can end its turn.
        """
        return self.template.encode(self.tokenizer, [*self.context, *conversation])

    def replies(self, conversations: Sequence[Conversation]) -> list[Reply]:
        """Return the likeliest next message of each conversation; where one is too long
        for the context window, its longest results are cut.

        Raises:
            ValueError: If even the task does not fit into the context window.
        """
        conversations = [self._fitting(conversation) for conversation in conversations]
        constraints = None
        if self.grammar is not None:
            constraints = [
                ConstrainedText(self.grammar(conversation), self.mask)
                for conversation in conversations
            ]
        written = generate_all(
            self.model,
            [self.encode(conversation) for conversation in conversations],
            self.max_new_tokens,
            end_tokens={self.end_token},
            stop=self._is_call,
            batch_size=self.batch_size,
            constraints=constraints,
        )
        return [
            Reply(self.tokenizer.decode(tokens).strip(), len(tokens))
            for tokens in written
        ]

    def _fitting(self, conversation: Conversation) -> Conversation:
        """Halve the longest result until the conversation fits."""
        room = self.model.config.context_length - self.max_new_tokens
        messages = list(conversation)
        while len(self.encode(messages)) > room:
            _, longest = max(
                (len(message.content) if message.role == "user" else 0, place)
                for place, message in enumerate(messages)
                if place or len(messages) == 1
            )
            text = messages[longest].content
            if longest == 0 or len(text) < 4 * len(RESULT):
                break  # what is too long is no result
            messages[longest] = Message("user", f"{text[: len(text) // 2]} ...")
        return messages

    def _is_call(self, drawn: Sequence[int]) -> bool:
        """Return whether tokens are a whole call; the end token would only confirm
        it.
        """
        text = self.tokenizer.decode(list(drawn)).strip()
        if not text.endswith("}"):
            return False
        try:
            return parse_call(text) is not None
        except CallError:
            return False


def result_message(text: str) -> Message:
    """Return the turn that shows a result to the model."""
    return Message("user", RESULT + text)


def last_results(conversation: Conversation) -> list[str]:
    """Return the results in a conversation so far, without the word in front.

    >>> last_results([Message("user", "2 + 2?"), result_message("4")])
    ['4']
    """
    return [
        message.content.removeprefix(RESULT)
        for message in conversation[1:]
        if message.role == "user"
    ]


def free_grammar(call: str) -> Grammar:
    """Return the grammar of agents that write calls matching a pattern, and that may
    answer in words once they have a result.

    Args:
        call: The regular expression of a call, from `call_pattern`.
    """

    def grammar(conversation: Conversation) -> str:
        return f"({call}|{_ANSWER})" if last_results(conversation) else call

    return grammar


def copying_grammar(pattern: Callable[[Sequence[str]], str]) -> Grammar:
    """Return the grammar of agents that copy: the arguments of a call from the task and
    the results, the answer from the first line of the last result that is no error. As
    long as there is none, they can only call.

    Args:
        pattern: Returns the regular expression of a call, given the texts to copy
            from; see `copying_pattern`.
    """

    def grammar(conversation: Conversation) -> str:
        results = [
            result.strip()
            for result in last_results(conversation)
            if result.strip() and not result.startswith("Error")
        ]
        call = pattern([conversation[0].content, *results])
        if not results:
            return call
        return f"({call}|{re.escape(results[-1].splitlines()[0])})"

    return grammar


_ANSWER = r"[^{\x00-\x1F][^\x00-\x1F]*"
"""An answer in words: a line that does not begin like a call."""
