"""Supervised fine-tuning: prompts with their answers as tokens, padded to one per row
or packed several to a row, and the loss of the tokens of the answers.

Step t of a row is the choice of token t + 1 by a model that has read tokens 0 to t: a
row of n tokens has n - 1 steps. A mask marks the steps that count: those that choose a
token of an answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from genai_tutorial.tokenization import PADDING, BPETokenizer, ChatTemplate, Message
from genai_tutorial.transformer import AttentionContext


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
        length: The number of tokens in a row; None for the longest example's number.

    Raises:
        ValueError: If there are no examples, or one is longer than a row.

    >>> pad_examples([Example((5, 6), (7,)), Example((8,), (9,))]).ids
    tensor([[5, 6, 7],
            [8, 9, 0]])
    """
    length = _checked_length(examples, length)
    return _lay([[example] for example in examples], length)


def pack_examples(examples: Sequence[Example], length: int) -> Rows:
    """Pack several examples into each row of `length` tokens, with little padding. Give
    the model their `documents`, or they attend to each other.

    The examples are placed from the longest to the shortest, each where it leaves the
    least room (best-fit decreasing).

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


def chosen_log_probs(
    logits: Float[Tensor, "batch position vocab"], ids: Int[Tensor, "batch position"]
) -> Float[Tensor, "batch step"]:
    """Return the log-probability of the token that was chosen at each step."""
    return -functional.cross_entropy(
        logits[:, :-1].transpose(1, 2), ids[:, 1:], reduction="none"
    )


def token_log_probs(
    model: nn.Module,
    ids: Int[Tensor, "batch position"],
    documents: Int[Tensor, "batch position"] | None = None,
) -> Float[Tensor, "batch step"]:
    """Return a model's log-probability of each token after the first.

    Args:
        model: Maps ids to logits, such as a `DecoderLM`. It attends to earlier
            positions only, so padding at the end changes nothing.
        documents: The document of each token, for rows with several packed documents.
    """
    context = None if documents is None else AttentionContext.packed(documents)
    return chosen_log_probs(model(ids) if context is None else model(ids, context), ids)


def answer_steps(
    is_answer: Bool[Tensor, "batch position"],
    documents: Int[Tensor, "batch position"] | None = None,
) -> Bool[Tensor, "batch step"]:
    """Return the mask of the steps that choose the marked tokens.

    Args:
        is_answer: Marks the tokens of answers.
        documents: The document of each token, for rows with several packed documents.
            The step from the last token of a document to the first of the next does not
            count.

    >>> answer_steps(torch.tensor([[False, False, True, True]]))
    tensor([[False,  True,  True]])
    """
    steps = is_answer[:, 1:]
    return (
        steps if documents is None else steps & (documents[:, 1:] == documents[:, :-1])
    )


def answer_log_probs(
    model: nn.Module,
    ids: Int[Tensor, "batch position"],
    is_answer: Bool[Tensor, "batch position"],
) -> Float[Tensor, "batch"]:
    """Return a model's log-probability of each row's whole answer, whose tokens
    `is_answer` marks.
    """
    return masked_sum(token_log_probs(model, ids), answer_steps(is_answer))


def masked_sum(
    numbers: Float[Tensor, "batch step"], mask: Bool[Tensor, "batch step"]
) -> Float[Tensor, "batch"]:
    """Return each row's sum over the steps that count.

    >>> numbers, mask = torch.tensor([[1.0, torch.nan]]), torch.tensor([[True, False]])
    >>> masked_sum(numbers, mask)
    tensor([1.])
    """
    return numbers.masked_fill(~mask, 0.0).sum(dim=1)


def masked_mean(
    numbers: Float[Tensor, "batch step"], mask: Bool[Tensor, "batch step"]
) -> Float[Tensor, ""]:
    """Return the mean over all steps that count, with equal weights in all rows.

    Raises:
        ValueError: If no step counts.

    >>> numbers, mask = torch.tensor([[1.0, torch.nan]]), torch.tensor([[True, False]])
    >>> masked_mean(numbers, mask)
    tensor(1.)
    """
    if not mask.any():
        raise ValueError(
            "No step of the batch counts: its mask is False everywhere, so there is "
            "nothing to average."
        )
    return numbers.masked_fill(~mask, 0.0).sum() / mask.sum()


def supervised_loss(
    model: nn.Module,
    ids: Int[Tensor, "batch position"],
    is_learned: Bool[Tensor, "batch position"],
    documents: Int[Tensor, "batch position"] | None = None,
) -> Float[Tensor, ""]:
    """Return the mean of -log p(token) over the tokens that the loss mask selects, in
    nats per token; for `fit`.

    Args:
        ids: Prompts with their answers, from `pad_examples` or `pack_examples`.
        is_learned: The loss mask: `rows.is_answer`, or `rows.is_text` to learn the
            prompts too.
        documents: The number of the example that each token belongs to; it keeps the
            examples of a row from attending to each other.

    Raises:
        ValueError: If the mask selects no token of the batch.

    Source: Ouyang et al., Training language models to follow instructions with human
        feedback, section 3.5 (SFT), https://arxiv.org/abs/2203.02155
    """
    return -masked_mean(
        token_log_probs(model, ids, documents), answer_steps(is_learned, documents)
    )
