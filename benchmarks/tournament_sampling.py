"""SynthID-Text's sampling: the next token wins a tournament that secret bits decide."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from genai_tutorial.generation import Detection, next_token_probabilities, tournament

_CONTEXT = 4  # previous tokens that the bits of a tournament depend on


@dataclass(frozen=True)
class TournamentSampling:
    """A `LogitsProcessor` that draws the next token by a tournament. Call `generate`
    with temperature 1 and without filters: `top_k` is applied here, before the
    tournament.

    The bits depend on the last four tokens. If these have occurred before in the row,
    the token is left unmarked: otherwise a text that repeats itself would be drawn with
    the same bits again and again.

    Attributes:
        key: The secret, up to 64 bytes.
        layers: The number of rounds, at most 64.
        top_k: Keep this many tokens.

    Raises:
        ValueError: If `layers` is out of range, or the key is empty or too long.

    Source: Dathathri et al., Scalable watermarking for identifying large language model
        outputs (2024), https://doi.org/10.1038/s41586-024-08025-4
    """

    key: bytes
    layers: int = 20
    top_k: int | None = None

    def __post_init__(self):
        if not 1 <= self.layers <= 64:
            raise ValueError(f"layers must be from 1 to 64, got {self.layers}.")
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
        probabilities = next_token_probabilities(logits, top_k=self.top_k)
        for row, text in enumerate(ids.tolist()):
            context = text[-_CONTEXT:]
            if len(context) < _CONTEXT or _is_repeated(text):
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
            tokens: The text without its prompt; the first four tokens are not scored.
        """
        ids = tokens.tolist()
        seen: set[tuple[int, ...]] = set()
        ones = 0
        for place in range(_CONTEXT, len(ids)):
            context = tuple(ids[place - _CONTEXT : place])
            if context not in seen:
                seen.add(context)
                ones += int(self.g_values(context, [ids[place]]).sum())
        return Detection(ones, len(seen) * self.layers, 0.5)


def _is_repeated(text: Sequence[int]) -> bool:
    """Return whether a text's last tokens were a context before."""
    places = range(len(text) - _CONTEXT)
    return any(text[n : n + _CONTEXT] == text[-_CONTEXT:] for n in places)
