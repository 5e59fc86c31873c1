"""Policies, which decide an agent's next message, a language model or a script; and the
choice of a tool by the likelihood of its whole name.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from genai_tutorial.generation import (
    ConstrainedText,
    TokenMask,
    generate_all,
    option_log_likelihoods,
)
from genai_tutorial.tokenization import BPETokenizer, ChatTemplate, Message
from genai_tutorial.transformer import DecoderLM

from .calls import CallError, parse_call

Conversation = Sequence[Message]
"""The task, and then in turn the agent's calls and their results."""

_RESULT = "Result: "  # the first word of the turns that show results
_ANSWER = r"[^{\x00-\x1F][^\x00-\x1F]*"  # a line that does not begin like a call
_BATCH = 20  # conversations that are continued at once


@dataclass(frozen=True)
class Reply:
    """A policy's next message, a call or the answer in words, and its length in
    tokens.
    """

    text: str
    tokens: int = 0


@runtime_checkable
class Policy(Protocol):
    """The `Policy` protocol: decides the next message of an agent."""

    def replies(self, conversations: Sequence[Conversation]) -> list[Reply]:
        """Return the next message of each conversation."""


@dataclass
class ScriptedPolicy:
    """A policy that follows a script for each task: its messages in order, of which the
    last is repeated.

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
    """A language model as policy: its most probable message.

    Attributes:
        context: Messages before the task: a system turn, solved examples.
        grammar: The form of the next message; None for any text.
        mask: The masks of the vocabulary for the grammar; made once and shared.

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
        """Return the most probable next message of each conversation; where one is too
        long for the context window, its longest results are cut.

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
            batch_size=_BATCH,
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
            if longest == 0 or len(text) < 4 * len(_RESULT):
                break  # what is too long is no result
            messages[longest] = Message("user", f"{text[: len(text) // 2]} ...")
        return messages

    def _is_call(self, drawn: Sequence[int]) -> bool:
        """Return whether tokens are a whole call: no end token is needed then."""
        text = self.tokenizer.decode(list(drawn)).strip()
        if not text.endswith("}"):
            return False
        try:
            return parse_call(text) is not None
        except CallError:
            return False


def result_message(text: str) -> Message:
    """Return the turn that shows a result to the model."""
    return Message("user", _RESULT + text)


def last_results(conversation: Conversation) -> list[str]:
    """Return the results in a conversation so far, without the word in front.

    >>> last_results([Message("user", "2 + 2?"), result_message("4")])
    ['4']
    """
    return [
        message.content.removeprefix(_RESULT)
        for message in conversation[1:]
        if message.role == "user"
    ]


def free_grammar(call: str) -> Grammar:
    """Return the grammar of agents that write calls of a pattern, such as one from
    `call_pattern`, and that may answer in words once they have a result.
    """

    def grammar(conversation: Conversation) -> str:
        return f"({call}|{_ANSWER})" if last_results(conversation) else call

    return grammar


def copying_grammar(pattern: Callable[[Sequence[str]], str]) -> Grammar:
    """Return the grammar of agents that copy: the arguments of a call from the task and
    the results, the answer from the first line of the last result that is no error. As
    long as there is none, they can only call. The pattern of a call is made from the
    texts to copy from: see `copying_pattern`.
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


def tool_scores(
    policy: ModelPolicy, conversations: Sequence[Conversation], names: Sequence[str]
) -> Float[Tensor, "conversation tool"]:
    """Return the log-likelihood of each tool's name as the beginning of the next call,
    in nats.

    Raises:
        ValueError: If there is no conversation or no name.
    """
    begun = policy.tokenizer.encode('{"name":"', special_as_text=True)
    prompts = [[*policy.encode(one), *begun] for one in conversations]
    # the quotation mark ends a name, or "count" would be part of "count_lines"
    options = [
        policy.tokenizer.encode(f'{name}"', special_as_text=True) for name in names
    ]
    return option_log_likelihoods(policy.model, prompts, options, _BATCH)


def calibrate(
    scores: Float[Tensor, "conversation tool"],
    reference: Float[Tensor, "reference tool"] | None = None,
) -> Float[Tensor, "conversation tool"]:
    """Return scores minus each tool's mean score, so that no tool is preferred on
    average. The mean is over `reference`, such as the scores of a question without
    content, or over the scores themselves, whose questions should then ask for all
    tools about equally often.

    Source: Zhao et al., Calibrate Before Use, https://arxiv.org/abs/2102.09690; Zhou et
        al., Batch Calibration, https://arxiv.org/abs/2309.17249

    >>> import torch
    >>> calibrate(torch.tensor([[-1.0, -5.0], [-2.0, -4.0]]))
    tensor([[ 0.5000, -0.5000],
            [-0.5000,  0.5000]])
    """
    given = scores if reference is None else reference
    return scores - given.mean(dim=0)
