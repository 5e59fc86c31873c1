"""The models of `genai-tutorial chat`: SmolLM2, and the book's own at each stage."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from genai_tutorial.recipes import load as load_trained
from genai_tutorial.tasks.assistant import CHAT, MAX_ANSWER_TOKENS
from genai_tutorial.tokenization import SMOLLM2_CHAT, BPETokenizer, Message
from genai_tutorial.transformer import DecoderLM


@runtime_checkable
class Template(Protocol):
    """A chat template: converts a conversation to tokens."""

    def encode(self, tokenizer: BPETokenizer, messages: Sequence[Message]) -> list[int]:
        """Return the tokens of the conversation, up to the start of the answer."""


class Continuation:
    """The template of the base model: the user's text is the beginning of a document,
    which the model continues.
    """

    def encode(self, tokenizer: BPETokenizer, messages: Sequence[Message]) -> list[int]:
        """Return the tokens of the last turn."""
        return (
            tokenizer.encode(messages[-1].content, special_as_text=True)
            if messages
            else []
        )


@dataclass(frozen=True)
class ChatProfile:
    """The chat template and the defaults of a model.

    Attributes:
        template: Chat template.
        greeting: Message shown at the start.
        max_tokens: Default for the maximum number of tokens per answer.
        remembers: Whether the model was trained on several turns.
        takes_system: Whether the model was trained with system messages.
    """

    template: Template
    greeting: str
    max_tokens: int
    remembers: bool
    takes_system: bool


CHAT_PROFILES: dict[str, ChatProfile] = {
    "smollm2": ChatProfile(
        SMOLLM2_CHAT,
        (
            "SmolLM2, 135 million parameters: quick, fluent, and often wrong. Ctrl-C "
            "stops an answer, Ctrl-D ends."
        ),
        max_tokens=512,
        remembers=True,
        takes_system=True,
    ),
    "base": ChatProfile(
        Continuation(),
        'The base model of chapter 12: it continues what you begin, such as "The '
        'capital of Kenya is". '
        "Ctrl-C stops it, Ctrl-D ends.",
        max_tokens=60,
        remembers=False,
        takes_system=False,
    ),
    "sft": ChatProfile(
        CHAT,
        (
            "The assistant of chapter 13: it answers questions about countries, each "
            "by itself. Ctrl-D ends."
        ),
        max_tokens=MAX_ANSWER_TOKENS,
        remembers=False,
        takes_system=False,
    ),
    "ppo": ChatProfile(
        CHAT,
        (
            "The assistant of chapter 14, trained on preferences: it answers each "
            "question by itself. Ctrl-D ends."
        ),
        max_tokens=MAX_ANSWER_TOKENS,
        remembers=False,
        takes_system=False,
    ),
}


def load_own(model: str) -> tuple[DecoderLM, BPETokenizer]:
    """Load the book's model after one stage of training."""
    return load_trained(f"factbook-{model}")
