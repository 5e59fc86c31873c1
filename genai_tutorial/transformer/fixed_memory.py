"""A memory of fixed size: linear attention, with optional decay and delta rule.

The memory is a matrix S of key features times value features. A token decays it, writes
a value under its key, and reads it with its query; no key and no value is kept.

    add          S = S + k vᵀ                   linear attention
    decay        S = a S + k vᵀ                 Mamba-2's state-space layer
    delta        S = S + k (b (v - Sᵀk))ᵀ       the delta rule
    gated delta  S = a S, then the delta rule   Gated DeltaNet

`recurrent_memory` follows the equations token by token. `parallel_memory` computes all
tokens at once, and `chunked_memory` does so chunk by chunk: the same outputs, in time
proportional to the length.
"""

import torch
from jaxtyping import Float
from torch import Tensor

CHUNK = 64
"""The number of tokens that `chunked_memory` computes at once."""


def recurrent_memory(
    query: Float[Tensor, "batch head position key_dim"],
    key: Float[Tensor, "batch head position key_dim"],
    value: Float[Tensor, "batch head position value_dim"],
    log_decay: Float[Tensor, "batch head position"] | None = None,
    beta: Float[Tensor, "batch head position"] | None = None,
    state: Float[Tensor, "batch head key_dim value_dim"] | None = None,
) -> tuple[
    Float[Tensor, "batch head position value_dim"],
    Float[Tensor, "batch head key_dim value_dim"],
]:
    """Write and read a memory token by token; return what is read, and the last state.

    Args:
        key: The keys, of norm 1 for the delta rule.
        log_decay: Logarithm of the factor that multiplies the state before each write,
            at most 0; None for no decay.
        beta: Share of the difference to the stored value that each write corrects, 0 to
            2 (the delta rule); None to add the values.
        state: The memory so far; None for an empty one.

    Source: Katharopoulos et al., Transformers are RNNs, equations 16 to 20,
        https://arxiv.org/abs/2006.16236; Yang et al., Gated Delta Networks, equation
        10, https://arxiv.org/abs/2412.06464

    >>> key = torch.tensor([[1.0, 0.0], [0.6, 0.8], [1.0, 0.0]])[None, None]
    >>> value = torch.tensor([[3.0], [5.0], [7.0]])[None, None]
    >>> recurrent_memory(key, key, value)[1].flatten()  # the key (1, 0) reads 13, not 7
    tensor([13.,  4.])
    >>> recurrent_memory(key, key, value, beta=torch.ones(1, 1, 3))[1].flatten()
    tensor([7.0000, 2.5600])
    """
    if state is None:
        state = _empty(key, value)
    read = []
    for t in range(key.shape[2]):
        if log_decay is not None:
            state = state * log_decay[:, :, t, None, None].exp()
        write = value[:, :, t, None]
        if beta is not None:
            write = beta[:, :, t, None, None] * (write - key[:, :, t, None] @ state)
        state = state + key[:, :, t, :, None] * write
        read.append(query[:, :, t, None] @ state)
    return torch.cat(read, dim=2), state


def parallel_memory(
    query: Float[Tensor, "batch head position key_dim"],
    key: Float[Tensor, "batch head position key_dim"],
    value: Float[Tensor, "batch head position value_dim"],
    log_decay: Float[Tensor, "batch head position"] | None = None,
    beta: Float[Tensor, "batch head position"] | None = None,
    state: Float[Tensor, "batch head key_dim value_dim"] | None = None,
) -> tuple[
    Float[Tensor, "batch head position value_dim"],
    Float[Tensor, "batch head key_dim value_dim"],
]:
    """Compute `recurrent_memory` for all tokens at once, without a loop; time and
    memory grow with the square of their number.

    Source: Yang et al., Parallelizing Linear Transformers with the Delta Rule over
        Sequence Length, section 3.2, https://arxiv.org/abs/2406.06484
    """
    if state is None:
        state = _empty(key, value)
    log_decay = torch.zeros_like(key[..., 0]) if log_decay is None else log_decay
    total = log_decay.cumsum(2)
    # What is left at token t (row) of what token s (column) wrote.
    left = (total[..., :, None] - total[..., None, :]).tril().exp().tril()
    since = total.exp()[..., None]  # what is left of the old state
    if beta is not None:  # (1 + A) u = beta (v - what the old state says)
        found = beta[..., None] * (key @ key.transpose(-1, -2)) * left
        wanted = beta[..., None] * (value - since * (key @ state))
        # The upper triangle is not read, and the diagonal is taken to be one.
        value = torch.linalg.solve_triangular(
            found, wanted, upper=False, unitriangular=True
        )
    read = (query @ key.transpose(-1, -2) * left) @ value + since * (query @ state)
    kept = key * left[..., -1, :, None]
    return read, since[..., -1:, :] * state + kept.transpose(-1, -2) @ value


def chunked_memory(
    query: Float[Tensor, "batch head position key_dim"],
    key: Float[Tensor, "batch head position key_dim"],
    value: Float[Tensor, "batch head position value_dim"],
    log_decay: Float[Tensor, "batch head position"] | None = None,
    beta: Float[Tensor, "batch head position"] | None = None,
    state: Float[Tensor, "batch head key_dim value_dim"] | None = None,
) -> tuple[
    Float[Tensor, "batch head position value_dim"],
    Float[Tensor, "batch head key_dim value_dim"],
]:
    """Compute `recurrent_memory` in chunks of 64 tokens, each in parallel; the state
    passes from chunk to chunk.
    """
    read = []
    for start in range(0, key.shape[2], CHUNK):
        here = [
            None if x is None else x[:, :, start : start + CHUNK]
            for x in (query, key, value, log_decay, beta)
        ]
        output, state = parallel_memory(*here, state)
        read.append(output)
    return torch.cat(read, dim=2), state


def _empty(key: Tensor, value: Tensor) -> Tensor:
    return key.new_zeros(*key.shape[:2], key.shape[-1], value.shape[-1])
