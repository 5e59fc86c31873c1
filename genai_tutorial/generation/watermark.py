"""Watermarks in text, which a detector finds with a secret key: green lists, whose
tokens become more likely, and the tournament of SynthID-Text, in which candidates for
the next token compete in rounds that secret random bits decide.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Detection:
    """The number of hits in a text, against what a text without a mark has on average.

    Attributes:
        hits: The number of scored items that carry the mark.
        scored: The number of scored items: pairs of tokens, or bits.
        expected_share: The share of hits in a text without a mark.
    """

    hits: int
    scored: int
    expected_share: float

    @property
    def share(self) -> float:
        """The share of hits; 0 if nothing was scored."""
        return self.hits / self.scored if self.scored else 0.0

    @property
    def z_score(self) -> float:
        """See `detection_z_score`."""
        return detection_z_score(self.hits, self.scored, self.expected_share)


def detection_z_score(hits: int, scored: int, expected_share: float) -> float:
    """Return by how many standard deviations the hits exceed the expected number, if
    each item is a hit with the same probability, independently of the others; 0 if
    nothing was scored.

    Raises:
        ValueError: If the expected share is not between 0 and 1.

    Source: Kirchenbauer et al., A Watermark for Large Language Models, equation 3,
    https://arxiv.org/abs/2301.10226

    >>> detection_z_score(hits=40, scored=100, expected_share=0.25)
    3.4641016151377544
    """
    _check_share(expected_share, "expected_share")
    if not scored:
        return 0.0
    variance = scored * expected_share * (1 - expected_share)
    return (hits - expected_share * scored) / math.sqrt(variance)


def tokens_needed(z: float | int, share: float, expected_share: float) -> int:
    """Return the number of scored items after which a text with this share of hits has
    on average the z-score `z`.

    Raises:
        ValueError: If the share does not exceed the expected one, or is above 1.

    >>> tokens_needed(z=4, share=0.5, expected_share=0.25)
    48
    """
    _check_share(expected_share, "expected_share")
    if not expected_share < share <= 1:
        raise ValueError(
            f"A share of {share} never reaches z = {z}: it must be above the expected "
            f"share, {expected_share}, and at most 1."
        )
    variance = expected_share * (1 - expected_share)
    # Rounding guards against 48.000000000000004.
    return math.ceil(round(z**2 * variance / (share - expected_share) ** 2, 9))


@dataclass(frozen=True)
class GreenListWatermark:
    """A `LogitsProcessor` that adds `delta` to the logits of the green list.

    The detector needs the key, the tokenizer and the text, and neither the model nor
    the prompt.

    Attributes:
        vocab_size: The number of tokens in the vocabulary.
        gamma: The share of the vocabulary on each list.
        delta: The strength of the mark, in units of logits.

    Raises:
        ValueError: If gamma is not between 0 and 1.

    Source: Kirchenbauer et al., A Watermark for Large Language Models, algorithm 2,
        https://arxiv.org/abs/2301.10226

    >>> watermark = GreenListWatermark(vocab_size=8)
    >>> watermark(torch.zeros(1, 8), torch.tensor([[5, 3]]))
    tensor([[0., 0., 2., 2., 0., 0., 0., 0.]])
    """

    vocab_size: int
    gamma: float = 0.25
    delta: float = 2.0
    key: int = 15_485_863

    def __post_init__(self):
        _check_share(self.gamma, "gamma")

    def __call__(
        self,
        logits: Float[Tensor, "batch vocab"],
        ids: Int[Tensor, "batch position"],
    ) -> Float[Tensor, "batch vocab"]:
        """Return the logits, raised for each row's green list."""
        marked = logits.clone()
        for row, previous in enumerate(ids[:, -1].tolist()):
            marked[row, self.green_list(previous)] += self.delta
        return marked

    def green_list(self, previous: int) -> Int[Tensor, "green"]:
        """Return the tokens that become more likely after a token."""
        generator = torch.Generator().manual_seed(self.key * previous % (2**64 - 1))
        shuffled = torch.randperm(self.vocab_size, generator=generator)
        return shuffled[: int(self.vocab_size * self.gamma)]

    def is_green(
        self, tokens: Int[Tensor, "*text position"]
    ) -> Bool[Tensor, "*text scored"]:
        """Return for each token after the first whether it is on its green list."""
        before, after = tokens[..., :-1], tokens[..., 1:]
        green = torch.zeros_like(after, dtype=torch.bool)
        for previous in before.unique().tolist():
            is_listed = torch.zeros(
                self.vocab_size, dtype=torch.bool, device=tokens.device
            )
            is_listed[self.green_list(previous)] = True
            places = before == previous
            green[places] = is_listed[after[places]]
        return green

    def detect(self, tokens: Int[Tensor, "position"]) -> Detection:
        """Count the green tokens of a text; a pair of tokens that occurs several times
        counts once. Otherwise a text that repeats itself would count the same evidence
        again, and the z-score of unmarked text would spread too widely.

        Args:
            tokens: The text without its prompt.
        """
        green, ids = self.is_green(tokens).tolist(), tokens.tolist()
        hits = dict(zip(pairwise(ids), green, strict=True)).values()
        return Detection(sum(hits), len(hits), self.gamma)


def _check_share(share: float, name: str) -> None:
    if not 0 < share < 1:
        raise ValueError(f"{name} must be between 0 and 1, got {share}.")


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
