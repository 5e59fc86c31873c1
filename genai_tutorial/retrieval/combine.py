"""Chunk and combine: answer from a text that is too long, part by part.

`map_reduce` reads every part alone and then only the answers; `refine` reads the parts
in order and carries one answer along.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from .grounded import ChatModel, grounded_prompt


@dataclass(frozen=True)
class CombinedAnswer:
    """An answer from several parts of a text, and what it cost.

    Attributes:
        partial: The answer after each part: from this part alone with `map_reduce`,
            from all parts so far with `refine`.
    """

    text: str
    partial: tuple[str, ...]
    tokens_read: int


def map_reduce(
    chat: ChatModel, question: str, passages: Sequence[str], max_new_tokens: int = 24
) -> CombinedAnswer:
    """Answer from each passage alone, then from the answers.

    The passages are independent of each other and can be read at the same time; an
    answer that needs two of them together is lost.

    Args:
        passages: The parts of the text, at least one.
        max_new_tokens: The largest number of tokens in each answer.

    Raises:
        ValueError: If there is no passage.

    Source: Chang et al., BooookScore, section 2 (hierarchical merging),
        https://arxiv.org/abs/2310.00785
    """
    _check(passages)
    requests = [grounded_prompt(question, [passage]) for passage in passages]
    partial = chat.answers(requests, max_new_tokens)
    requests.append(grounded_prompt(question, partial))
    [text] = chat.answers(requests[-1:], max_new_tokens)
    return CombinedAnswer(text, tuple(partial), _tokens(chat, requests))


def refine(
    chat: ChatModel, question: str, passages: Sequence[str], max_new_tokens: int = 24
) -> CombinedAnswer:
    """Answer from the first passage, then improve the answer with each further one.

    Args:
        passages: The parts of the text in their order, at least one.
        max_new_tokens: The largest number of tokens in each answer.

    Raises:
        ValueError: If there is no passage.

    Source: Chang et al., BooookScore, section 2 (incremental updating),
        https://arxiv.org/abs/2310.00785
    """
    _check(passages)
    requests, partial = [], []
    for passage in passages:
        requests.append(
            refining_prompt(question, passage, partial[-1])
            if partial
            else grounded_prompt(question, [passage])
        )
        partial += chat.answers(requests[-1:], max_new_tokens)
    return CombinedAnswer(partial[-1], tuple(partial), _tokens(chat, requests))


def refining_prompt(question: str, passage: str, answer: str) -> str:
    """Return a request to improve an answer with one more passage."""
    return "\n".join(
        [
            "Here is an answer to a question, and a passage that may correct it.",
            f"Passage: {passage}",
            f"Answer so far: {answer}",
            "Repeat the answer, or correct it if the passage says otherwise.",
            f"Question: {question}",
        ]
    )


def _tokens(chat: ChatModel, requests: Sequence[str]) -> int:
    return sum(len(chat.encode(request)) for request in requests)


def _check(passages: Sequence[str]) -> None:
    if not passages:
        raise ValueError("There is nothing to read: give at least one passage.")
