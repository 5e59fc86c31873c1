"""Rollouts: a batch of prompts of different lengths, each answered by the model, with
the probability of every choice.

Prompts are padded at the end, and the cache knows where each row's text ends, so an
answer begins right behind its prompt: there is no padding between tokens that attend to
each other, and none has to be masked later.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from genai_tutorial.generation.generate import draw
from genai_tutorial.generation.sampling import next_token_probabilities
from genai_tutorial.tokenization import PADDING
from genai_tutorial.transformer import AttentionContext, DecoderLM


@dataclass(frozen=True)
class Rollouts:
    """Prompts with the answers that a model gave. What belongs to steps is explained in
    `log_probs`.

    Attributes:
        ids: In each row a prompt, its answer and padding.
        prompt_lengths: How many tokens the prompts have.
        lengths: How many tokens prompt and answer have together.
        finished: Which answers ended by themselves; the others were cut off.
        log_probs: The logarithm of the probability of each token of the answers when it
            was drawn; 0 at other steps.
    """

    ids: Int[Tensor, "batch position"]
    prompt_lengths: Int[Tensor, "batch"]
    lengths: Int[Tensor, "batch"]
    finished: Bool[Tensor, "batch"]
    log_probs: Float[Tensor, "batch step"]

    @property
    def is_answer(self) -> Bool[Tensor, "batch position"]:
        """Which tokens the model wrote, the end token included."""
        places = torch.arange(self.ids.shape[1], device=self.ids.device)
        return (places >= self.prompt_lengths[:, None]) & (
            places < self.lengths[:, None]
        )

    @property
    def mask(self) -> Bool[Tensor, "batch step"]:
        """Which steps chose a token of an answer."""
        return self.is_answer[:, 1:]

    def answers(self) -> list[list[int]]:
        """Return the tokens of each answer, without the one that ends it."""
        starts, ends = (
            self.prompt_lengths.tolist(),
            (self.lengths - self.finished.long()).tolist(),
        )
        return [
            row[start:end]
            for row, start, end in zip(self.ids.tolist(), starts, ends, strict=True)
        ]


Score = Callable[[Rollouts], Float[Tensor, "batch"]]
"""Says what each answer is worth: a reward model, a rule, or a program that checks."""


@torch.no_grad()
def generate_rollouts(
    model: DecoderLM,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: int,
    *,
    end_token: int,
    temperature: float | int = 1.0,
    generator: torch.Generator | None = None,
) -> Rollouts:
    """Lets a model answer prompts, all at once, each token with the `KVCache`.

    Args:
        model: Who answers.
        prompts: The tokens of each prompt; their lengths may differ.
        max_new_tokens: The most tokens of an answer, its end token included.
        end_token: What ends an answer.
        temperature: See `next_token_probabilities`. `log_probs` are those of the model
            as it is, so that learning from them asks for a temperature of 1; 0 is for
            looking at the best answers.
        generator: Where the chance comes from; None uses torch's global one.

    Raises:
        ValueError: If there is no prompt, one is empty, or a prompt with its answer may
            not fit into the context.
    """
    longest = _checked_longest(model, prompts, max_new_tokens)
    device = model.token_embedding.weight.device
    batch, room = len(prompts), longest + max_new_tokens
    rows = torch.arange(batch, device=device)
    prompt_lengths = torch.tensor([len(prompt) for prompt in prompts], device=device)
    ids = torch.tensor(
        [[*prompt, *[PADDING] * (room - len(prompt))] for prompt in prompts],
        device=device,
    )
    log_probs = model.token_embedding.weight.new_zeros(batch, room - 1)
    cache = model.make_cache(batch, room)
    lengths, running = (
        prompt_lengths,
        torch.ones(batch, dtype=torch.bool, device=device),
    )
    unread, new = ids[:, :longest], prompt_lengths
    for _ in range(max_new_tokens):
        read = model.read(unread, AttentionContext.cached(cache, new))
        # The last token of each row's text; a finished row has read nothing, and what
        # comes out is not used.
        logits = model.logits(read[rows, (new - 1).clamp(min=0)][:, None])[:, 0]
        chosen = draw(next_token_probabilities(logits, temperature), generator).to(ids)
        ids[rows, lengths] = torch.where(running, chosen, PADDING)
        log_probs[rows, lengths - 1] += (
            running * logits.log_softmax(dim=-1)[rows, chosen]
        )
        lengths = lengths + running
        running = running & (chosen != end_token)
        if not running.any():
            break
        unread, new = chosen[:, None], running.long()
    longest = int(lengths.max())
    return Rollouts(
        ids[:, :longest], prompt_lengths, lengths, ~running, log_probs[:, : longest - 1]
    )


def _checked_longest(
    model: DecoderLM, prompts: Sequence[Sequence[int]], max_new_tokens: int
) -> int:
    if not prompts or not all(prompts):
        raise ValueError(
            "There must be at least one prompt, of one token or more each; got "
            f"{len(prompts)} prompts."
        )
    if max_new_tokens < 1:
        raise ValueError(f"max_new_tokens must be at least 1, got {max_new_tokens}.")
    longest = max(map(len, prompts))
    if longest + max_new_tokens > model.config.context_length:
        raise ValueError(
            f"The model sees at most {model.config.context_length} tokens at once; the "
            f"longest prompt has {longest}, "
            f"and an answer may have {max_new_tokens}. Ask for shorter answers, or "
            "leave out long prompts."
        )
    return longest
