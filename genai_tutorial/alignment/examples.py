"""Examples for fine-tuning: prompts with their answers as tokens, padded to one per row
or packed several to a row.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from genai_tutorial.tokenization import PADDING, BPETokenizer, ChatTemplate, Message


@dataclass(frozen=True)
class Example:
    """A prompt and the answer that the model should give, as tokens.

    Attributes:
        prompt: The tokens that the model is given.
        answer: The tokens that it should write, with the one that ends them.

    Raises:
        ValueError: If one of them is empty.
    """

    prompt: tuple[int, ...]
    answer: tuple[int, ...]

    def __post_init__(self):
        if not self.prompt or not self.answer:
            raise ValueError(
                f"An example needs a prompt and an answer of at least one token each, "
                f"got {len(self.prompt)} and {len(self.answer)}."
            )

    def __len__(self) -> int:
        return len(self.prompt) + len(self.answer)


@dataclass(frozen=True)
class Rows:
    """Examples in rows of equal length. `TensorBatches(rows.tensors, ...)` makes
    batches for `supervised_loss`.

    Attributes:
        is_answer: True for the tokens of answers: the usual loss mask.
        documents: The number of the example that each token belongs to, counted from 0
            in each row; -1 for the padding at the end of a row.
    """

    ids: Int[Tensor, "row position"]
    is_answer: Bool[Tensor, "row position"]
    documents: Int[Tensor, "row position"]

    @property
    def is_text(self) -> Bool[Tensor, "row position"]:
        """True for the tokens of prompts and answers, False for padding."""
        return self.documents >= 0

    @property
    def lengths(self) -> Int[Tensor, "row"]:
        """The number of tokens in each row without its padding."""
        return self.is_text.sum(dim=1)

    @property
    def tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        """The three tensors, in the order of `supervised_loss`'s arguments."""
        return self.ids, self.is_answer, self.documents


def encode_prompt(
    template: ChatTemplate, tokenizer: BPETokenizer, prompt: str
) -> list[int]:
    """Return the tokens of a user's turn, up to where the model's answer begins."""
    return template.encode(tokenizer, [Message("user", prompt)])


def encode_example(
    template: ChatTemplate,
    tokenizer: BPETokenizer,
    messages: Sequence[Message],
    answer: str,
) -> Example:
    """Encode a conversation and the answer to its last turn.

    The prompt ends where the assistant's turn begins, exactly as it will at inference.
    The answer is encoded separately and ends with the token that closes the turn. If
    both were encoded together, the tokenizer could merge the last character of the
    prompt with the first of the answer, and the model would be trained on a token that
    never appears at inference.

    Args:
        tokenizer: The model's tokenizer.
        messages: The turns so far. Earlier turns of the assistant do not count for the
            loss.
        answer: The assistant's next turn.

    Raises:
        ValueError: If the tokenizer lacks the template's special tokens.
    """
    prompt = template.encode(tokenizer, messages)
    return Example(
        tuple(prompt),
        (
            *tokenizer.encode(answer, special_as_text=True),
            tokenizer.special_tokens[template.end],
        ),
    )


def pad_examples(examples: Sequence[Example], length: int | None = None) -> Rows:
    """Put each example into its own row, right-padded to equal length.

    Args:
        length: The number of tokens in a row; None for that of the longest example.

    Raises:
        ValueError: If there are no examples, or one is longer than a row.

    >>> pad_examples([Example((5, 6), (7,)), Example((8,), (9,))]).ids
    tensor([[5, 6, 7],
            [8, 9, 0]])
    """
    length = _checked_length(examples, length)
    return _lay([[example] for example in examples], length)


def pack_examples(examples: Sequence[Example], length: int) -> Rows:
    """Pack several examples into each row, with little padding. Give the model their
    `documents`, or they attend to each other.

    The examples are placed from the longest to the shortest, each where it leaves the
    least room (best-fit decreasing).

    Args:
        length: The number of tokens in a row.

    Raises:
        ValueError: If there are no examples, or one is longer than a row.

    Source: Ding et al., Fewer Truncations Improve Language Modeling,
    https://arxiv.org/abs/2404.10830

    >>> rows = pack_examples([Example((5, 6), (7,)), Example((8,), (9,))], length=6)
    >>> rows.ids, rows.documents
    (tensor([[5, 6, 7, 8, 9, 0]]), tensor([[ 0,  0,  0,  1,  1, -1]]))
    """
    length = _checked_length(examples, length)
    rows: list[list[Example]] = []
    # the rows with a given number of free positions
    with_room: dict[int, list[list[Example]]] = {}
    for example in sorted(examples, key=len, reverse=True):
        room = next(
            (room for room in range(len(example), length + 1) if with_room.get(room)),
            None,
        )
        if room is None:
            room, row = length, []
            rows.append(row)
        else:
            row = with_room[room].pop()
        row.append(example)
        with_room.setdefault(room - len(example), []).append(row)
    return _lay(rows, length)


def _lay(rows: Sequence[Sequence[Example]], length: int) -> Rows:
    shape = (len(rows), length)
    ids = torch.full(shape, PADDING)
    is_answer, documents = torch.zeros(shape, dtype=torch.bool), torch.full(shape, -1)
    for row, examples in enumerate(rows):
        place = 0
        for number, example in enumerate(examples):
            answer, end = place + len(example.prompt), place + len(example)
            ids[row, place:end] = torch.tensor((*example.prompt, *example.answer))
            is_answer[row, answer:end] = True
            documents[row, place:end] = number
            place = end
    return Rows(ids, is_answer, documents)


def _checked_length(examples: Sequence[Example], length: int | None) -> int:
    if not examples:
        raise ValueError("There must be at least one example, got none.")
    longest = max(map(len, examples))
    if length is not None and longest > length:
        raise ValueError(
            f"A row has {length} tokens, but the longest example has {longest}: remove "
            "it, or make the rows longer."
        )
    return longest if length is None else length
