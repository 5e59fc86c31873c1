"""Grounded answers: a chat model answers from numbered passages, or not at all."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from genai_tutorial.generation import generate_rollouts
from genai_tutorial.tokenization import BPETokenizer, ChatTemplate, Message
from genai_tutorial.transformer import DecoderLM

ABSTENTION = "I do not know."
"""The text returned in place of an answer that no passage supports."""


@dataclass(frozen=True)
class GroundedAnswer:
    """An answer with the passages that support it.

    Attributes:
        citations: The numbers of the passages, from 1.
        abstained: Whether the question was declined.
    """

    text: str
    citations: tuple[int, ...] = ()
    abstained: bool = False


@dataclass(frozen=True)
class ChatModel:
    """A chat model with its tokenizer and template.

    Attributes:
        template: The chat template that it was trained with.
    """

    model: DecoderLM
    tokenizer: BPETokenizer
    template: ChatTemplate

    def encode(self, request: str) -> list[int]:
        """Return the tokens of a conversation that begins with a user's request, up to
        where the answer begins.
        """
        return self.template.encode(self.tokenizer, [Message("user", request)])

    def answers(
        self, requests: Sequence[str], max_new_tokens: int = 24, batch_size: int = 16
    ) -> list[str]:
        """Return the likeliest answer to each request, without surrounding spaces.

        Args:
            requests: The user's requests, each in a conversation by itself.
            max_new_tokens: The largest number of tokens in an answer.
            batch_size: The number of requests answered at once, grouped by length.
        """
        prompts = [self.encode(request) for request in requests]
        end = self.tokenizer.special_tokens[self.template.end]
        by_length = sorted(range(len(prompts)), key=lambda place: len(prompts[place]))
        texts = [""] * len(prompts)
        for start in range(0, len(prompts), batch_size):
            places = by_length[start : start + batch_size]
            rollouts = generate_rollouts(
                self.model,
                [prompts[place] for place in places],
                max_new_tokens,
                end_token=end,
                temperature=0,
                share_prefix=True,
            )
            for place, answer in zip(places, rollouts.answers(), strict=True):
                texts[place] = self.tokenizer.decode(answer).strip()
        return texts


def grounded_prompt(question: str, passages: Sequence[str]) -> str:
    """Return a request to answer a question from passages, which are numbered so that
    an answer can cite them. Without passages it is the question alone.

    Lewis et al., Retrieval-Augmented Generation, https://arxiv.org/abs/2005.11401, were
    the first to give a generator the passages that a search found.

    >>> print(grounded_prompt("Where is Lima?", ["Lima is in Peru.", "It rains."]))
    Answer the question from these passages.
    [1] Lima is in Peru.
    [2] It rains.
    Question: Where is Lima?
    """
    if not passages:
        return question
    numbered = [f"[{number}] {text}" for number, text in enumerate(passages, start=1)]
    lines = ["Answer the question from these passages.", *numbered]
    return "\n".join([*lines, f"Question: {question}"])


def written_citations(answer: str, passages: int) -> tuple[int, ...]:
    """Return the numbers of the passages that an answer cites in square brackets, in
    their order and without repetition; numbers that no passage has are left out.

    >>> written_citations("Lima [2], as [1] and [9] say [2].", passages=3)
    (2, 1)
    """
    numbers = [int(number) for number in re.findall(r"\[(\d{1,4})\]", answer)]
    return tuple(dict.fromkeys(number for number in numbers if 1 <= number <= passages))
