"""Attention masks: True where a query may attend to a key; combine masks with `&`."""

import torch
from jaxtyping import Bool, Int
from torch import Tensor
from torch.nn import functional


def causal_mask(
    length: int, device: torch.device | None = None
) -> Bool[Tensor, "query key"]:
    """Return the causal mask: True at and before a query's own position, False after
    it.

    >>> causal_mask(3)
    tensor([[ True, False, False],
            [ True,  True, False],
            [ True,  True,  True]])
    """
    return torch.ones(length, length, dtype=torch.bool, device=device).tril()


def sliding_window_mask(
    length: int, window: int, device: torch.device | None = None
) -> Bool[Tensor, "query key"]:
    """Return the causal mask of a sliding window: each query attends to itself and the
    `window - 1` keys before it.

    Raises:
        ValueError: If the window is below 1 and thus excludes the query itself.

    Source: Jiang et al., Mistral 7B, figure 1, https://arxiv.org/abs/2310.06825

    >>> sliding_window_mask(4, window=2)
    tensor([[ True, False, False, False],
            [ True,  True, False, False],
            [False,  True,  True, False],
            [False, False,  True,  True]])
    """
    if window < 1:
        raise ValueError(
            "window must be at least 1, because a position attends to itself; got "
            f"{window}."
        )
    positions = torch.arange(length, device=device)
    return may_see(positions, positions, window)


def sink_mask(
    length: int, sinks: int, window: int, device: torch.device | None = None
) -> Bool[Tensor, "query key"]:
    """Return the causal mask of a sliding window with attention sinks: each query
    attends to the first `sinks` keys, to itself and to the `window - 1` keys before it.

    Raises:
        ValueError: If `sinks` is negative, or the window is below 1.

    Source: Xiao et al., Efficient Streaming Language Models with Attention Sinks,
        section 3.2, https://arxiv.org/abs/2309.17453

    >>> sink_mask(5, sinks=1, window=2)
    tensor([[ True, False, False, False, False],
            [ True,  True, False, False, False],
            [ True,  True,  True, False, False],
            [ True, False,  True,  True, False],
            [ True, False, False,  True,  True]])
    """
    check_sinks(sinks, window)
    positions = torch.arange(length, device=device)
    return may_see(positions, positions, window, sinks)


def check_sinks(sinks: int, window: int) -> None:
    """Raise a ValueError if a window with attention sinks has impossible sizes."""
    if sinks < 0 or window < 1:
        raise ValueError(
            "sinks must be at least 0, and window at least 1, because a position "
            f"attends to itself; got {sinks=} and {window=}."
        )


def padding_mask(
    lengths: Int[Tensor, "batch"], length: int
) -> Bool[Tensor, "batch 1 1 key"]:
    """Return the mask that hides the padding of right-padded rows.

    Args:
        lengths: The number of tokens in each row, without the padding.
        length: The length of the padded rows.

    >>> padding_mask(torch.tensor([1, 3]), 3).flatten(1)
    tensor([[ True, False, False],
            [ True,  True,  True]])
    """
    return (torch.arange(length, device=lengths.device) < lengths[:, None])[
        :, None, None
    ]


def document_mask(
    documents: Int[Tensor, "batch position"],
) -> Bool[Tensor, "batch 1 position position"]:
    """Return the mask of packed rows, in which tokens attend only to their own text.

    Args:
        documents: The index of the text that each token belongs to.

    >>> document_mask(torch.tensor([[5, 5, 6]])).flatten(0, 2)
    tensor([[ True,  True, False],
            [ True,  True, False],
            [False, False,  True]])
    """
    return (documents[:, :, None] == documents[:, None, :])[:, None]


def document_positions(
    documents: Int[Tensor, "batch position"],
) -> Int[Tensor, "batch position"]:
    """Return the positions of the tokens in packed rows, restarting at 0 in each
    text.
    """
    places = torch.arange(documents.shape[1], device=documents.device)
    starts = functional.pad(documents[:, 1:] != documents[:, :-1], (1, 0))
    return places - (places * starts).cummax(dim=1).values


def sees_back(
    mask: Bool[Tensor, "batch 1 position position"], distance: int
) -> Bool[Tensor, "batch position"]:
    """Return whether each token may attend to the one `distance` positions before it;
    False if there is none.
    """
    seen = mask[:, 0].diagonal(-distance, -2, -1)
    return functional.pad(seen, (distance, 0))[:, : mask.shape[-1]]


def may_see(
    query_positions: Int[Tensor, "*batch query"],
    key_positions: Int[Tensor, "*batch key"],
    window: int | None = None,
    sinks: int = 0,
) -> Bool[Tensor, "*batch query key"]:
    """Return the causal mask for queries and keys at the given positions; a negative
    key position marks an empty slot.
    """
    keys = key_positions[..., None, :]
    distances = query_positions[..., :, None] - keys
    seen = (distances >= 0) & (keys >= 0)
    return seen if window is None else seen & ((distances < window) | (keys < sinks))
