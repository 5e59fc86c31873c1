"""Examples for fine-tuning: a prompt and the answer to it as tokens, laid into rows one
by one or several to a row.
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
        prompt: All that the model is given.
        answer: What it should write, with the token that ends it.

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
        ids: The tokens.
        is_answer: Which of them belong to an answer.
        documents: Which example each belongs to, counted from 0 in each row; -1 for the
            padding at a row's end.
    """

    ids: Int[Tensor, "row position"]
    is_answer: Bool[Tensor, "row position"]
    documents: Int[Tensor, "row position"]

    @property
    def is_text(self) -> Bool[Tensor, "row position"]:
        """Which tokens belong to a prompt or an answer."""
        return self.documents >= 0

    @property
    def lengths(self) -> Int[Tensor, "row"]:
        """How many tokens of each row are text."""
        return self.is_text.sum(dim=1)

    @property
    def tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        """The three tensors, in the order of `supervised_loss`'s arguments."""
        return self.ids, self.is_answer, self.documents


def encode_prompt(
    template: ChatTemplate, tokenizer: BPETokenizer, prompt: str
) -> list[int]:
    """Return a user's turn as the tokens that the model answers."""
    return template.encode(tokenizer, [Message("user", prompt)])


def encode_example(
    template: ChatTemplate,
    tokenizer: BPETokenizer,
    messages: Sequence[Message],
    answer: str,
) -> Example:
    """Write a conversation and the answer to its last turn as tokens.

    The prompt ends where the assistant's turn is open, exactly as it will when the
    model is asked; the answer is encoded by itself and ends with the token that closes
    the turn. A tokenizer that saw both at once could join the last character of the
    prompt with the first of the answer, and the model would be trained on a token that
    it is never shown.

    Args:
        template: How conversations are written.
        tokenizer: Makes the tokens.
        messages: The turns so far. Earlier turns of the assistant are read, not
            learned.
        answer: What the assistant should say next.

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
    """Give each example a row of its own, filled up at the end.

    Args:
        examples: What to lay out.
        length: The tokens in a row; None for those of the longest example.

    Raises:
        ValueError: If there are no examples, or one is longer than a row.

    >>> pad_examples([Example((5, 6), (7,)), Example((8,), (9,))]).ids
    tensor([[5, 6, 7],
            [8, 9, 0]])
    """
    length = _checked_length(examples, length)
    return _lay([[example] for example in examples], length)


def pack_examples(examples: Sequence[Example], length: int) -> Rows:
    """Pack several examples into each row, so that little of it is padding; give the
    model their `documents`.

    The longest come first, and each goes where it leaves the least room (best fit,
    decreasing).

    Args:
        examples: What to lay out.
        length: The tokens in a row.

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
    with_room: dict[
        int, list[list[Example]]
    ] = {}  # the rows that have so many places left
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
            f"A row has {length} tokens, but the longest example has {longest}: leave "
            "it out, or make the rows longer."
        )
    return longest if length is None else length
