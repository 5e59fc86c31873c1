"""The format of the assistant's conversations: chat template, special tokens, and
demonstrations as rows of tokens.
"""

from collections.abc import Sequence

from genai_tutorial.alignment import Rows, encode_example, pack_examples
from genai_tutorial.tokenization import BPETokenizer, ChatTemplate, Message

from .demonstrations import Demonstration

CHAT = ChatTemplate()
"""The assistant's chat template: ChatML, without a system turn."""

END_OF_TEXT = "<|endoftext|>"

CHAT_SPECIAL_TOKENS = (END_OF_TEXT, CHAT.start, CHAT.end)
"""The special tokens of the assistant's tokenizer.

The last two open and close a turn of a conversation. The base model never sees them;
chapter 13 teaches them.
"""

MAX_ANSWER_TOKENS = 32
"""The largest number of tokens of an answer."""

DECLINING_ANSWERS = ("I do not know.", "I cannot help with that.")
"""Two answers that are compared with the assistant's own to every question.

The assistant itself rarely declines a question that has an answer. If refusals never
lose a comparison, the reward model rates them highly everywhere, and the policy learns
to decline everything; chapter 14 shows it.
"""


def encode_demonstrations(
    tokenizer: BPETokenizer, demonstrations: Sequence[Demonstration], row_length: int
) -> Rows:
    """Return demonstrations as tokens, several to a row.

    Answers begin with a space, like words within the pre-training texts: `Nairobi`
    without a space is tokenized differently, and the base model has rarely seen those
    tokens.
    """
    return pack_examples(
        [
            encode_example(
                CHAT,
                tokenizer,
                [Message("user", demonstration.question.text)],
                f" {demonstration.answer}",
            )
            for demonstration in demonstrations
        ],
        row_length,
    )
