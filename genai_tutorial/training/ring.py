"""Ring attention: exact attention over a text that is split over several processes.

Each process keeps its queries, and keys and values are passed round: with N processes,
each query has met every key after N - 1 hops. A process holds at most three blocks of
keys and values: its own, the one that it sends and the one that it receives.
"""

import torch
from jaxtyping import Float
from torch import Tensor, distributed

from genai_tutorial.transformer import OnlineSoftmax, update_with_block

from .distributed import several_processes


@torch.no_grad()
def ring_attention(
    query: Float[Tensor, "*batch position dim"],
    key: Float[Tensor, "*shared position dim"],
    value: Float[Tensor, "*shared position value_dim"],
    is_causal: bool = False,
    state_dtype: torch.dtype | None = None,
) -> Float[Tensor, "*batch position value_dim"]:
    """Return the output of attention for this process's queries, over the keys of all
    processes of the group; without a group, plain attention. Gradients are not
    computed.

    The text is split into equal parts in the order of the processes. With the causal
    mask the first processes have less to compute and wait for the last.

    Args:
        query: The queries of this process's part of the text.
        key: The keys of this part; they may have fewer heads than the queries.
        is_causal: Whether a query attends only to keys at and before its own position.
        state_dtype: The number format of the running sums between hops; None for that
            of the queries.

    Raises:
        ValueError: If the parts have different lengths.

    Source: Liu, Zaharia and Abbeel, Ring Attention with Blockwise Transformers for
        Near-Infinite Context, algorithm 1, https://arxiv.org/abs/2310.01889

    >>> x = torch.eye(2)
    >>> ring_attention(x, x, torch.tensor([[2.0], [4.0]]), is_causal=True)[0]
    tensor([2.])
    """
    rank, world_size = 0, 1
    if several_processes():
        rank, world_size = distributed.get_rank(), distributed.get_world_size()
        _check_lengths(query, world_size)
    length = query.shape[-2]
    state = OnlineSoftmax.empty(query.new_zeros(*query.shape[:-1], value.shape[-1]))
    for hop in range(world_size):
        owner = (rank - hop) % world_size
        if not is_causal or owner <= rank:
            starts = (rank * length, owner * length) if is_causal else None
            state = update_with_block(state, query, key, value, starts)
            if state_dtype is not None:
                state = state.to(state_dtype).to(query.dtype)
        if hop < world_size - 1:
            key, value = (
                _pass_on(key, rank, world_size),
                _pass_on(value, rank, world_size),
            )
    return state.output()


def _pass_on(x: Tensor, rank: int, world_size: int) -> Tensor:
    """Send a tensor to the next process, and return the one from the previous."""
    received = torch.empty_like(x, memory_format=torch.contiguous_format)
    requests = distributed.batch_isend_irecv(
        [
            distributed.P2POp(
                distributed.isend, x.contiguous(), (rank + 1) % world_size
            ),
            distributed.P2POp(distributed.irecv, received, (rank - 1) % world_size),
        ]
    )
    for request in requests:
        request.wait()
    return received


def _check_lengths(query: Tensor, world_size: int) -> None:
    mine = torch.tensor([query.shape[-2]], device=query.device)
    of_all = [torch.zeros_like(mine) for _ in range(world_size)]
    distributed.all_gather(of_all, mine)
    lengths = [int(one) for one in of_all]
    if len(set(lengths)) > 1:
        raise ValueError(
            f"All processes need equally long parts of the text, got {lengths} "
            f"positions: pad the text to a multiple of {world_size}."
        )
