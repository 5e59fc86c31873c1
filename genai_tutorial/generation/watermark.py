"""The green-list watermark: at each step a secret key and the previous token choose a
quarter of the vocabulary, whose tokens become more likely. The detector counts them.
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


def green_list(
    previous: int, vocab_size: int, gamma: float = 0.25, key: int = 15_485_863
) -> Int[Tensor, "green"]:
    """Return the tokens that become more likely after a token.

    The key times the previous token seeds a random permutation of the vocabulary, whose
    first part is the list: the scheme `lefthash` of the library transformers.

    Args:
        previous: The token before the one that is drawn.
        vocab_size: The number of tokens in the vocabulary.
        gamma: The share of the vocabulary on the list.
        key: The secret. The default is everybody's: choose your own.

    Raises:
        ValueError: If gamma is not between 0 and 1.

    Source: Kirchenbauer et al., algorithm 2, https://arxiv.org/abs/2301.10226

    >>> green_list(previous=3, vocab_size=8)
    tensor([2, 3])
    """
    _check_share(gamma, "gamma")
    generator = torch.Generator().manual_seed(key * previous % (2**64 - 1))
    return torch.randperm(vocab_size, generator=generator)[: int(vocab_size * gamma)]


@dataclass(frozen=True)
class GreenListWatermark:
    """A `LogitsProcessor` that adds `delta` to the logits of the green list.

    The detector needs the key, the tokenizer and the text, and neither the model nor
    the prompt.

    Attributes:
        vocab_size: The number of tokens in the vocabulary.
        gamma: The share of the vocabulary on each list.
        delta: The strength of the mark, in units of logits.
        key: The secret.

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
        """Return the logits with those of each row's green list raised."""
        marked = logits.clone()
        for row, previous in enumerate(ids[:, -1].tolist()):
            marked[row, self.green_list(previous)] += self.delta
        return marked

    def green_list(self, previous: int) -> Int[Tensor, "green"]:
        """Return the tokens that become more likely after a token."""
        return green_list(previous, self.vocab_size, self.gamma, self.key)

    def is_green(
        self, tokens: Int[Tensor, "*text position"]
    ) -> Bool[Tensor, "*text scored"]:
        """Return for each token after the first whether it is on its green list.

        The list of each distinct token is drawn once, so many texts together cost
        little more than one.
        """
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

    def detect(self, tokens: Int[Tensor, "position"], once: bool = True) -> Detection:
        """Count the green tokens of a text.

        Args:
            tokens: The text without its prompt.
            once: Whether a pair of tokens that occurs several times counts once. If
                every occurrence counts, a text that repeats itself counts the same
                evidence again, and the z-score of unmarked text spreads too widely.
        """
        hits = self.is_green(tokens).tolist()
        ids = tokens.tolist()
        if once:
            hits = dict(zip(pairwise(ids), hits, strict=True)).values()
        return Detection(sum(hits), len(hits), self.gamma)


def _check_share(share: float, name: str) -> None:
    if not 0 < share < 1:
        raise ValueError(f"{name} must be between 0 and 1, got {share}.")
