"""Chat templates: a conversation as one text for a language model to continue."""

from collections.abc import Sequence
from dataclasses import dataclass

from .bpe import BPETokenizer
from .vocabulary import check_text

_ROLES = ("system", "user", "assistant")


@dataclass(frozen=True)
class Message:
    """One turn of a conversation.

    Attributes:
        role: The speaker: "system", "user" or "assistant".
        content: The text of the turn.

    Raises:
        ValueError: If there is no such role, or the content is not valid text.
    """

    role: str
    content: str

    def __post_init__(self):
        if self.role not in _ROLES:
            raise ValueError(
                f"role must be one of {', '.join(_ROLES)}, got {self.role!r}."
            )
        check_text(self.content)


@dataclass(frozen=True)
class ChatTemplate:
    """ChatML: each turn is enclosed in a start and an end token and begins with a line
    that names the role.

    Attributes:
        start: The special token that opens a turn.
        end: The special token that closes a turn; the model generates it at the end of
            its answer.
        default_system: The system message of conversations that do not begin with one;
            None for no message.

    >>> print(ChatTemplate().render([Message("user", "Hello!")]))
    <|im_start|>user
    Hello!<|im_end|>
    <|im_start|>assistant
    <BLANKLINE>
    """

    start: str = "<|im_start|>"
    end: str = "<|im_end|>"
    default_system: str | None = None

    def render(self, messages: Sequence[Message]) -> str:
        """Return the conversation as one text, for reading; the assistant's turn is
        open at its end. To give it to a model, use `encode`, which is safe.
        """
        turns = "".join(
            f"{self.start}{m.role}\n{m.content}{self.end}\n"
            for m in self._with_system(messages)
        )
        return f"{turns}{self.start}assistant\n"

    def encode(self, tokenizer: BPETokenizer, messages: Sequence[Message]) -> list[int]:
        """Return the tokens of the conversation, with the assistant's turn open at its
        end.

        The content of the turns is encoded as ordinary text: a user who types
        `<|im_end|>` writes ten characters and does not end the turn.

        Raises:
            ValueError: If the tokenizer lacks the special tokens that open and close a
                turn.
        """
        special = tokenizer.special_tokens
        if missing := [one for one in (self.start, self.end) if one not in special]:
            raise ValueError(
                f"The tokenizer has no special token {' and no '.join(missing)}, which "
                f"this chat template needs; it has {', '.join(special) or 'none'}."
            )
        start, end = special[self.start], special[self.end]
        line_break = tokenizer.encode("\n")
        ids = []
        for message in self._with_system(messages):
            content = tokenizer.encode(
                f"{message.role}\n{message.content}", special_as_text=True
            )
            ids += [start, *content, end, *line_break]
        return [*ids, start, *tokenizer.encode("assistant\n")]

    def _with_system(self, messages: Sequence[Message]) -> list[Message]:
        has_system = bool(messages) and messages[0].role == "system"
        if self.default_system is None or has_system:
            return list(messages)
        return [Message("system", self.default_system), *messages]


SMOLLM2_CHAT = ChatTemplate(
    default_system=(
        "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
    ),
)
"""The template of SmolLM2-Instruct."""
