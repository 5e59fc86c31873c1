"""Tournament sampling, the watermark of SynthID-Text: candidates for the next token
compete in rounds that secret random bits decide.

A text without a mark has as many ones as zeros in the bits of its tokens; one that won
its tournaments has more ones. Averaged over all keys, each token is drawn with the
probability that the model gives it.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from .sampling import next_token_probabilities
from .watermark import Detection


def tournament(
    probabilities: Float[Tensor, "*batch vocab"],
    g_values: Int[Tensor, "*batch vocab layer"],
) -> Float[Tensor, "*batch vocab"]:
    """Return the probability with which each token wins a tournament of 2^layers
    tokens, all drawn from the model.

    In a round, two tokens meet. The one with the larger bit wins, and a coin decides
    between equal bits. A token with bit 1 loses only to the coin, so its probability is
    multiplied by 1 + (1 - m), where m is the probability of bit 1; one with bit 0 keeps
    the factor 1 - m.

    Args:
        probabilities: The model's probability of each token.
        g_values: Each token's bits, one per round.

    Source: Dathathri et al., Scalable watermarking for identifying large language model
        outputs (2024), methods, https://doi.org/10.1038/s41586-024-08025-4

    >>> tournament(torch.tensor([0.5, 0.5]), torch.tensor([[1], [0]]))
    tensor([0.7500, 0.2500])
    """
    for bits in g_values.to(probabilities.dtype).unbind(dim=-1):
        mean = (bits * probabilities).sum(dim=-1, keepdim=True)
        probabilities = probabilities * (1 + bits - mean)
    return probabilities


@dataclass(frozen=True)
class TournamentSampling:
    """A `LogitsProcessor` that draws the next token by a tournament. Call `generate`
    with temperature 1 and without filters: those that shape the text are applied here,
    before the tournament.

    A context of tokens that has occurred before in the row is left unmarked. Otherwise
    a text that repeats itself would be drawn with the same bits again and again.

    Attributes:
        key: The secret, up to 64 bytes.
        layers: The number of rounds, at most 64.
        context: The number of previous tokens that the bits depend on.
        temperature: See `next_token_probabilities`, as for the next one.
        top_k: Keep this many tokens.

    Raises:
        ValueError: If `layers` or `context` is out of range, or the key is empty or too
            long.

    Source: Dathathri et al., Scalable watermarking for identifying large language model
        outputs (2024), https://doi.org/10.1038/s41586-024-08025-4
    """

    key: bytes
    layers: int = 20
    context: int = 4
    temperature: float | int = 1.0
    top_k: int | None = None

    def __post_init__(self):
        if not 1 <= self.layers <= 64:
            raise ValueError(f"layers must be from 1 to 64, got {self.layers}.")
        if self.context < 1:
            raise ValueError(f"context must be at least 1 token, got {self.context}.")
        if not 1 <= len(self.key) <= 64:
            raise ValueError(
                f"key must have from 1 to 64 bytes, got {len(self.key)}: an empty key "
                "is no secret."
            )

    def __call__(
        self,
        logits: Float[Tensor, "batch vocab"],
        ids: Int[Tensor, "batch position"],
    ) -> Float[Tensor, "batch vocab"]:
        """Return the logarithm of each token's probability of winning."""
        probabilities = next_token_probabilities(logits, self.temperature, self.top_k)
        for row, text in enumerate(ids.tolist()):
            context = text[-self.context :]
            if len(context) < self.context or self._is_repeated(text):
                continue
            candidates = probabilities[row].nonzero()[:, 0]
            bits = self.g_values(context, candidates.tolist())
            won = tournament(probabilities[row, candidates], bits)
            probabilities[row, candidates] = won.clamp(min=0)
        return probabilities.log()

    def g_values(
        self, context: Sequence[int], candidates: Sequence[int]
    ) -> Int[Tensor, "candidate layer"]:
        """Return the bits of each candidate after a context: the first bits of a keyed
        BLAKE2 hash of the context's tokens and the candidate.
        """
        start = blake2b(
            struct.pack(f"<{len(context)}q", *context), digest_size=8, key=self.key
        )
        digests = bytearray()
        for candidate in candidates:
            finished = start.copy()
            finished.update(struct.pack("<q", candidate))
            digests += finished.digest()
        rows = np.frombuffer(bytes(digests), dtype=np.uint8).reshape(-1, 8)
        bits = np.unpackbits(rows, axis=1)[:, : self.layers]
        return torch.from_numpy(bits.astype(np.int64))

    def detect(self, tokens: Int[Tensor, "position"]) -> Detection:
        """Count the ones among the bits of a text's tokens; a repeated context is
        scored once.

        Args:
            tokens: The text without its prompt; the first `context` tokens are not
                scored.
        """
        ids = tokens.tolist()
        seen: set[tuple[int, ...]] = set()
        ones = 0
        for place in range(self.context, len(ids)):
            context = tuple(ids[place - self.context : place])
            if context not in seen:
                seen.add(context)
                ones += int(self.g_values(context, [ids[place]]).sum())
        return Detection(ones, len(seen) * self.layers, 0.5)

    def _is_repeated(self, text: Sequence[int]) -> bool:
        """Return whether a text's last tokens were a context before."""
        size = self.context
        last = text[-size:]
        return any(text[n : n + size] == last for n in range(len(text) - size))
