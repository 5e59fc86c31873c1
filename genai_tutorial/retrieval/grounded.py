"""Grounded answers: a chat model answers from numbered passages, or not at all."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from genai_tutorial.alignment import answer_log_probs
from genai_tutorial.generation import generate_rollouts
from genai_tutorial.tokenization import PADDING, BPETokenizer, ChatTemplate, Message
from genai_tutorial.transformer import DecoderLM

ABSTENTION = "I do not know."
"""The text returned instead of an answer that no passage supports."""


@dataclass(frozen=True)
class GroundedAnswer:
    """An answer with the passages that support it.

    Attributes:
        citations: The numbers of the passages, from 1.
        abstained: True if the question was declined.
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
        """Return the most probable answer to each request, without surrounding spaces.

        Args:
            requests: The user's requests, each in a separate conversation.
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


def answer_or_abstain(
    chat: ChatModel,
    question: str,
    passages: Sequence[str],
    confidence: float | int,
    threshold: float | int,
) -> GroundedAnswer:
    """Answer from passages if the search was confident enough, and cite the passage
    without which the answer would lose most of its probability.

    An answer that no passage makes more probable has no citation.

    Args:
        passages: The passages found, best first.
        confidence: The search's confidence that they answer the question, such as the
            cosine of the first.
        threshold: The confidence below which the question is declined; see
            `threshold_at_risk`.
    """
    if not passages or confidence < threshold:
        return GroundedAnswer(ABSTENTION, abstained=True)
    [text] = chat.answers([grounded_prompt(question, passages)])
    if not text:
        return GroundedAnswer(ABSTENTION, abstained=True)
    lost = leave_one_out_attribution(chat, question, passages, text)
    place = int(lost.argmax())
    return GroundedAnswer(text, (place + 1,) if lost[place] > 0 else ())


def leave_one_out_attribution(
    chat: ChatModel, question: str, passages: Sequence[str], answer: str
) -> Float[Tensor, "passage"]:
    """Return for each passage how much less probable the answer is without it, in nats:
    the log-probability of the answer with all passages minus that with all but this
    one.

    It needs only the model that gave the answer, without a judge.

    Raises:
        ValueError: If the answer is empty.

    Source: Cohen-Wang et al., ContextCite, section 2 (ablating parts of the context),
        https://arxiv.org/abs/2409.00729
    """
    contexts = [list(passages)]
    for place in range(len(passages)):
        contexts.append([*passages[:place], *passages[place + 1 :]])
    prompts = [chat.encode(grounded_prompt(question, context)) for context in contexts]
    tokens = chat.tokenizer.encode(answer, special_as_text=True)
    scores = continuation_log_likelihoods(chat.model, prompts, [tokens] * len(prompts))
    return scores[0] - scores[1:]


@torch.no_grad()
def continuation_log_likelihoods(
    model: DecoderLM,
    prompts: Sequence[Sequence[int]],
    continuations: Sequence[Sequence[int]],
) -> Float[Tensor, "prompt"]:
    """Return the log-probability of each continuation after its prompt: the sum over
    its tokens, in nats. All are read in one batch.

    Raises:
        ValueError: If there are no prompts, a prompt or continuation is empty, or their
            numbers differ.
    """
    if not prompts or len(prompts) != len(continuations):
        raise ValueError(
            "Each of one or more prompts needs a continuation, got "
            f"{len(prompts)} and {len(continuations)}."
        )
    if not (all(prompts) and all(continuations)):
        raise ValueError("Prompts and continuations need at least one token each.")
    rows = [[*a, *b] for a, b in zip(prompts, continuations, strict=True)]
    ids = pad_sequence(
        [torch.tensor(row) for row in rows], batch_first=True, padding_value=PADDING
    )
    is_answer = torch.zeros_like(ids, dtype=torch.bool)
    for place, (prompt, row) in enumerate(zip(prompts, rows, strict=True)):
        is_answer[place, len(prompt) : len(row)] = True
    device = model.token_embedding.weight.device
    return answer_log_probs(model, ids.to(device), is_answer.to(device))
