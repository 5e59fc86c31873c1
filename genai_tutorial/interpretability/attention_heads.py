"""Scores of attention heads, computed from their maps on repeated random tokens."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def repeated_random_tokens(
    count: int, length: int, vocabulary: int | Int[Tensor, "token"], seed: int = 0
) -> Int[Tensor, "count position"]:
    """Draw rows of random tokens, each repeated once.

    Only copying can predict the second half of a row. No token occurs twice in the
    first half, so every token of the second half has exactly one earlier occurrence.

    Args:
        length: The number of tokens before the repetition; a row is twice as long.
        vocabulary: The tokens to draw from; a number n means 0 to n - 1.

    Raises:
        ValueError: If the vocabulary is smaller than `length`.

    >>> repeated_random_tokens(1, 3, vocabulary=10, seed=0).shape
    torch.Size([1, 6])
    """
    tokens = torch.arange(vocabulary) if isinstance(vocabulary, int) else vocabulary
    if not 1 <= length <= len(tokens):
        raise ValueError(
            f"length must be from 1 to the number of different tokens, {len(tokens)}, "
            f"got {length}."
        )
    generator = torch.Generator().manual_seed(seed)
    rows = torch.stack(
        [
            tokens[torch.randperm(len(tokens), generator=generator)[:length]]
            for _ in range(count)
        ]
    )
    return torch.cat([rows, rows], dim=1)


def induction_scores(
    maps: Float[Tensor, "layer batch head query key"], period: int
) -> Float[Tensor, "layer head"]:
    """Return the share of its attention that each head gives to the token after the
    earlier occurrence of the current one.

    The text consists of `period` tokens, repeated once, so that token is `period` - 1
    positions back. The score is averaged over the queries of the second half and over
    the batch; 1 is a perfect induction head.

    Args:
        maps: Attention weights, such as `DecoderLM.attention_maps` returns.
        period: The number of tokens before the repetition.

    Raises:
        ValueError: If the text of the maps is not twice as long as `period`.

    Source: Olsson et al. (2022), In-context learning and induction heads,
    https://arxiv.org/abs/2209.11895
    """
    queries, keys = maps.shape[-2:]
    if not queries == keys == 2 * period:
        raise ValueError(
            f"The maps must be of {period} tokens repeated once, {2 * period} square; "
            f"got {queries}x{keys}."
        )
    return _weight_at_distance(maps, period - 1, from_query=period)


def previous_token_scores(
    maps: Float[Tensor, "layer batch head query key"],
) -> Float[Tensor, "layer head"]:
    """Return the share of its attention that each head gives to the previous token,
    averaged over queries and batch.

    The first query, which has no previous token, is left out.

    Raises:
        ValueError: If there is only one position.
    """
    if maps.shape[-1] < 2:
        raise ValueError(
            "At least two positions are needed for a previous token, got "
            f"{maps.shape[-1]}."
        )
    return _weight_at_distance(maps, 1, from_query=1)


def _weight_at_distance(
    maps: Float[Tensor, "layer batch head query key"], distance: int, from_query: int
) -> Float[Tensor, "layer head"]:
    queries = torch.arange(from_query, maps.shape[-2], device=maps.device)
    return maps[..., queries, queries - distance].mean(dim=(1, 3))
