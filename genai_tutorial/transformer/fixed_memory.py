"""A memory of fixed size: linear attention, with optional decay and delta rule.

The memory is a matrix S of key features times value features. A token decays it, writes
a value under its key, and reads it with its query; no key and no value is kept.

    add          S = S + k vᵀ                   linear attention
    decay        S = a S + k vᵀ                 Mamba-2's state-space layer
    delta        S = S + k (b (v - Sᵀk))ᵀ       the delta rule
    gated delta  S = a S, then the delta rule   Gated DeltaNet

`recurrent_memory` follows the equations token by token. `parallel_memory` computes all
tokens at once, and `chunked_memory` does so chunk by chunk: the same outputs, in time
proportional to the length. The layer `FixedMemory` takes the place of attention.
"""

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from .context import AttentionContext
from .decoder import DecoderLM
from .layers import RMSNorm

CHUNK = 64
"""The number of tokens that `chunked_memory` computes at once."""

MemoryKind = Literal["add", "decay", "delta", "gated delta"]
"""How a token changes the memory."""

_FIRST_DECAY = 4.0  # before training, the sigmoid of 4 is left after a token: 98%


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


class FixedMemory(nn.Module):
    """A layer that reads and writes a memory of fixed size, with the interface of
    `MultiHeadAttention`.

    Decay and beta are sigmoids of the input, one per head and token. In a cache, the
    layer keeps one state per row.

    Args:
        width: The number of input and output features.
        heads: The number of memories; must divide `width`.
        key_width: The number of features of a head's keys; None for as many as its
            values have, width / heads.
        largest_beta: Factor of beta; 2 lets a write flip the sign of what is stored.

    Raises:
        ValueError: If `heads` does not divide `width`, or `kind` is unknown.

    Source: Yang et al., Gated Delta Networks, section 3.4 and figure 1,
        https://arxiv.org/abs/2412.06464; Grazzi et al., Unlocking State-Tracking in
        Linear RNNs Through Negative Eigenvalues, section 4.1 (beta up to 2),
        https://arxiv.org/abs/2411.12537
    """

    def __init__(
        self,
        width: int,
        heads: int,
        kind: MemoryKind = "gated delta",
        *,
        key_width: int | None = None,
        largest_beta: float = 1.0,
    ):
        super().__init__()
        if width % heads or kind not in get_args(MemoryKind):
            raise ValueError(
                "heads must divide width, and kind be one of "
                f"{', '.join(get_args(MemoryKind))}; got {heads=}, {width=}, {kind=}."
            )
        keys = width if key_width is None else heads * key_width
        self.heads, self.largest_beta = heads, largest_beta
        self.query = nn.Linear(width, keys, bias=False)
        self.key = nn.Linear(width, keys, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.output = nn.Linear(width, width, bias=False)
        self.decay = (
            nn.Linear(width, heads) if kind in ("decay", "gated delta") else None
        )
        self.beta = nn.Linear(width, heads) if "delta" in kind else None
        self.norm = RMSNorm(width // heads)

    @torch.no_grad()
    def initialize(self, generator: torch.Generator) -> None:
        """Draw the matrices; the layer's output starts at zero."""
        for parameter in self.parameters():
            if parameter.dim() == 2:
                std = parameter.shape[1] ** -0.5
                parameter.normal_(0.0, std, generator=generator)
        self.output.weight.zero_()
        if self.decay is not None:
            self.decay.bias.fill_(_FIRST_DECAY)
        if self.beta is not None:
            self.beta.bias.zero_()

    def forward(
        self,
        x: Float[Tensor, "batch position width"],
        context: AttentionContext | None = None,
    ) -> Float[Tensor, "batch position width"]:
        """Write each token into the memory, and return what its query reads.

        Args:
            context: The cache of earlier tokens; None for whole texts.

        Raises:
            ValueError: If the context has a mask: a state can't hide a token later.
        """
        cache = None if context is None else context.cache
        if context is not None and context.mask is not None:
            raise ValueError(
                "A memory of fixed size takes no mask: what a token wrote can't be "
                "hidden from later ones. Give each text a row of its own."
            )
        query, key, value = (
            functional.silu(layer(x)).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        query, key = (
            functional.normalize(query, dim=-1),
            functional.normalize(key, dim=-1),
        )
        log_decay, beta = self.gates(x)
        state = None
        if cache is not None:
            state = cache.last_inputs.get(self)
            # Padding writes nothing and decays nothing.
            new = torch.tensor(cache.new_lengths, device=x.device)
            real = torch.arange(x.shape[1], device=x.device) < new[:, None]
            key = key * real[:, None, :, None]
            log_decay = None if log_decay is None else log_decay * real[:, None]
        read, state = chunked_memory(query, key, value, log_decay, beta, state)
        if cache is not None:
            cache.last_inputs[self] = state
        return self.output(self.norm(read).transpose(1, 2).flatten(2))

    def gates(
        self, x: Float[Tensor, "batch position width"]
    ) -> tuple[
        Float[Tensor, "batch head position"] | None,
        Float[Tensor, "batch head position"] | None,
    ]:
        """Return the logarithm of the decay and beta at each token; None for a gate
        that the kind does not have.
        """
        log_decay = beta = None
        if self.decay is not None:
            log_decay = functional.logsigmoid(self.decay(x)).transpose(1, 2)
        if self.beta is not None:
            beta = self.largest_beta * self.beta(x).sigmoid().transpose(1, 2)
        return log_decay, beta


def replace_attention(
    model: DecoderLM,
    kinds: Sequence[MemoryKind | Literal["softmax"]],
    seed: int,
    *,
    heads: int | None = None,
    key_width: int | None = None,
    largest_beta: float = 1.0,
) -> DecoderLM:
    """Replace the attention of a model's blocks by memories, in place, and return the
    model.

    Args:
        kinds: The kind of each block's memory; `softmax` keeps its attention.
        heads: The number of memories per block; None for the attention's heads.

    Raises:
        ValueError: If there is not one kind per block, or a kind is unknown.
    """
    if len(kinds) != len(model.blocks):
        raise ValueError(
            f"kinds must name one memory per block: the model has {len(model.blocks)} "
            f"blocks, got {len(kinds)} kinds."
        )
    generator = torch.Generator().manual_seed(seed)
    weight = model.token_embedding.weight
    heads = model.config.attention.heads if heads is None else heads
    for block, kind in zip(model.blocks, kinds, strict=True):
        if kind != "softmax":
            layer = FixedMemory(
                model.config.width,
                heads,
                kind,
                key_width=key_width,
                largest_beta=largest_beta,
            )
            layer.initialize(generator)
            block.attention = layer.to(weight.device, weight.dtype)
    return model
