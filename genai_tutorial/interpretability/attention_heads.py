"""What a head of attention does, read off its maps on text made for the purpose: random
tokens, twice over.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def repeated_random_tokens(
    count: int, length: int, vocabulary: int | Int[Tensor, "token"], seed: int = 0
) -> Int[Tensor, "count position"]:
    """Draw rows of random tokens, each followed by itself: nothing but copying can
    predict the second half.

    Inside a row's first half no token occurs twice, so that every token of the second
    half has one earlier occurrence.

    Args:
        count: How many rows.
        length: How many tokens before they repeat; a row is twice as long.
        vocabulary: Which tokens may be drawn: a number means all from 0 to just below
            it.
        seed: The same seed gives the same rows.

    Raises:
        ValueError: If there are fewer tokens than a row needs.

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
    """Return how much of its attention each head gives to the token after the earlier
    occurrence of the present one.

    The text is a row of `period` tokens, twice over, so that this token stands `period`
    - 1 places back. Averaged over the queries of the second half and over the batch; 1
    is a perfect induction head.

    Args:
        maps: Attention weights, such as `DecoderLM.attention_maps` returns.
        period: How many tokens there are before they repeat.

    Raises:
        ValueError: If the maps are not of a text twice as long as `period`.

    Source: Olsson et al. (2022), In-context learning and induction heads,
    https://arxiv.org/abs/2209.11895
    """
    queries, keys = maps.shape[-2:]
    if not queries == keys == 2 * period:
        raise ValueError(
            f"The maps must be of {period} tokens twice over, {2 * period} square; got "
            f"{queries}x{keys}."
        )
    return _weight_at_distance(maps, period - 1, from_query=period)


def previous_token_scores(
    maps: Float[Tensor, "layer batch head query key"],
) -> Float[Tensor, "layer head"]:
    """Return how much of its attention each head gives to the token just before,
    averaged over queries and batch.

    The first query has nothing before it and is left out.

    Raises:
        ValueError: If there is only one position.
    """
    if maps.shape[-1] < 2:
        raise ValueError(
            "At least two positions are needed for one to be before the other, got "
            f"{maps.shape[-1]}."
        )
    return _weight_at_distance(maps, 1, from_query=1)


def _weight_at_distance(
    maps: Float[Tensor, "layer batch head query key"], distance: int, from_query: int
) -> Float[Tensor, "layer head"]:
    queries = torch.arange(from_query, maps.shape[-2], device=maps.device)
    return maps[..., queries, queries - distance].mean(dim=(1, 3))
