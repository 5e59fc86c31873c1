"""Fused, quantized decoders for fast generation: fewer, larger matrix products, in
fewer bits.

For a single token each product is so small that calling the kernel takes as long as the
computation. Therefore, matrices that read the same vector are stacked into one: the
matrices of queries, keys and values, and the two wide ones of a gated feed-forward
layer.
"""

from collections.abc import Callable
from copy import deepcopy

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from genai_tutorial.transformer import (
    AttentionContext,
    DecoderBlock,
    DecoderLM,
    FeedForward,
    MultiHeadAttention,
    RMSNorm,
    SinkCache,
    activate,
    fused_attention,
)

from .linear import Int4Linear, Int4PairLinear, Int8Linear, TransposedLinear

MakeLinear = Callable[[Tensor, Tensor | None], nn.Module]


class FusedAttention(nn.Module):
    """Self-attention with one matrix product for queries, keys and values, and one
    rotation for queries and keys.
    """

    def __init__(self, plain: MultiHeadAttention, make_linear: MakeLinear):
        super().__init__()
        self.heads, self.head_width = plain.heads, plain.head_width
        self.key_value_heads = plain.key.out_features // plain.head_width
        self.pattern, self.layer, self.rotary = plain.pattern, plain.layer, plain.rotary
        self.query_norm, self.key_norm = plain.query_norm, plain.key_norm
        self.query_key_value = make_linear(*_stack(plain.query, plain.key, plain.value))
        self.output = make_linear(*_stack(plain.output))

    def forward(
        self,
        x: Float[Tensor, "batch position width"],
        context: AttentionContext | None = None,
    ) -> Float[Tensor, "batch position width"]:
        """Apply attention with all heads and combine their outputs."""
        context = AttentionContext() if context is None else context
        query, key, value = self._project(x, context)
        key, value = context.append(self.layer, key, value)
        query, key = context.rotate_late(self.rotary, query, key)
        mask, bias, is_causal = context.visibility(x, self.pattern)
        mixed = fused_attention(query, key, value, mask, bias, is_causal)
        return self.output(mixed.transpose(1, 2).flatten(2))

    def _project(
        self, x: Tensor, context: AttentionContext
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values, each of shape (batch, head, position,
        dim).
        """
        stacked = self.query_key_value(x).view(*x.shape[:2], -1, self.head_width)
        stacked = stacked.transpose(1, 2)
        rotated = stacked[:, : -self.key_value_heads]
        value = stacked[:, -self.key_value_heads :]
        if self.query_norm is not None:
            query, key = rotated[:, : self.heads], rotated[:, self.heads :]
            rotated = torch.cat((self.query_norm(query), self.key_norm(key)), dim=1)
        if self.rotary is not None:
            rotated = self.rotary(rotated, context.rotation(self.rotary))
        return rotated[:, : self.heads], rotated[:, self.heads :], value


class FusedFeedForward(nn.Module):
    """A feed-forward layer that computes both wide vectors, if it has a gate, in one
    matrix product.
    """

    def __init__(self, plain: FeedForward, make_linear: MakeLinear):
        super().__init__()
        self.gated, self.activation = plain.gate is not None, plain.activation
        self.widen = make_linear(
            *(_stack(plain.gate, plain.widen) if self.gated else _stack(plain.widen))
        )
        self.output = make_linear(*_stack(plain.output))

    def forward(
        self, x: Float[Tensor, "*batch width"]
    ) -> Float[Tensor, "*batch width"]:
        """Apply the layer to each vector."""
        wide = self.widen(x)
        if not self.gated:
            return self.output(activate(wide, self.activation))
        gate, wide = wide.chunk(2, dim=-1)
        return self.output(activate(gate, self.activation) * wide)


class FusedLlamaBlock(nn.Module):
    """A Llama block that processes a single new token in as few calls as possible,
    because each call costs microseconds.
    """

    def __init__(self, plain: DecoderBlock):
        super().__init__()
        self.plain = plain

    def forward(
        self,
        x: Float[Tensor, "batch position width"],
        context: AttentionContext | None = None,
    ) -> Float[Tensor, "batch position width"]:
        """Apply attention and feed-forward, each with a residual connection."""
        is_single = x.shape[:2] == (1, 1)
        cache = None if context is None else context.cache
        if cache is None or isinstance(cache, SinkCache) or not is_single:
            return self.plain(x, context)
        return self._read_one(x, context)

    def _read_one(
        self, x: Float[Tensor, "1 1 width"], context: AttentionContext
    ) -> Float[Tensor, "1 1 width"]:
        attention, feed_forward = self.plain.attention, self.plain.feed_forward
        heads, width = attention.heads, attention.head_width
        groups = attention.key_value_heads
        mask, _, _ = context.visibility(x, attention.pattern)
        x = x[0]
        stacked = attention.query_key_value.multiply(
            _norm_one(self.plain.attention_norm, x)
        ).view(1, -1, 1, width)
        rotated, value = stacked[:, :-groups], stacked[:, -groups:]
        cosines, sines = context.rotation(attention.rotary)
        rotated = torch.addcmul(rotated * cosines, rotated.roll(width // 2, -1), sines)
        keys, values = context.append(attention.layer, rotated[:, heads:], value)
        mixed = functional.scaled_dot_product_attention(
            rotated[:, :heads].view(1, groups, -1, width), keys, values, attn_mask=mask
        )
        x = x + attention.output.multiply(mixed.view(1, -1))
        gate, wide = feed_forward.widen.multiply(
            _norm_one(self.plain.feed_forward_norm, x)
        ).chunk(2, dim=-1)
        activated = activate(gate, feed_forward.activation) * wide
        return (x + feed_forward.output.multiply(activated))[None]


def _is_llama(block: nn.Module) -> bool:
    """Return whether `FusedLlamaBlock` can wrap this block, which is already fused."""
    if not isinstance(block, DecoderBlock):
        return False
    attention, feed_forward = block.attention, block.feed_forward
    return (
        isinstance(block.attention_norm, nn.RMSNorm)
        and attention.rotary is not None
        and attention.query_norm is None
        and isinstance(feed_forward, FusedFeedForward)
        and feed_forward.gated
        and feed_forward.output.bias is None
    )


def _norm_one(
    norm: nn.RMSNorm, x: Float[Tensor, "1 width"]
) -> Float[Tensor, "1 width"]:
    """Apply the norm to a single vector, whose mean square is a Python number."""
    mean_square = torch.dot(x[0], x[0]).item() / x.shape[1]
    return x * norm.weight * (mean_square + norm.eps) ** -0.5


def quantized(model: DecoderLM, precision: str) -> DecoderLM:
    """Return a copy of a decoder with fused, quantized linear layers; for inference
    only.

    It reads and generates as the model does, `KVCache` included. In the output layer
    each rounding error goes straight into a probability, so "int4" stores that layer in
    8 bits, see `Int4PairLinear`. Everything except the linear layers is shared with the
    model; delete the model to free its matrices.

    Args:
        precision: "int8" or "int4", see `Int8Linear` and `Int4Linear`; "float32" only
            fuses, without rounding.

    Raises:
        ValueError: If there is no such precision, or the model is not in float32.
    """
    # for the blocks, and for the output layer
    kinds: dict[str, tuple[MakeLinear, MakeLinear]] = {
        "float32": (TransposedLinear, TransposedLinear),
        "int8": (Int8Linear, Int8Linear),
        "int4": (Int4Linear, Int4PairLinear),
    }
    if precision not in kinds:
        raise ValueError(
            f"precision must be one of {', '.join(kinds)}; got {precision!r}."
        )
    weight = model.token_embedding.weight
    if weight.dtype != torch.float32 or weight.device.type != "cpu":
        raise ValueError(
            f"The model must be in float32 on the CPU, got {weight.dtype} on "
            f"{weight.device}."
        )
    make_linear, make_head = kinds[precision]
    # deepcopy reuses the values of this dictionary instead of copying the tensors with
    # these ids.
    shared = {
        id(one): nn.Parameter(one.detach(), requires_grad=False)
        for one in model.parameters()
    }
    shared |= {id(one): one for one in model.buffers()}
    copy = deepcopy(model, shared)
    copy.head = (
        make_head(weight, None)
        if model.head is None
        else make_head(model.head.weight, model.head.bias)
    )
    _fuse(copy, make_linear)
    return copy.eval()


def _stack(*layers: nn.Linear) -> tuple[Tensor, Tensor | None]:
    biases = [layer.bias for layer in layers]
    weight = torch.cat([layer.weight.detach() for layer in layers])
    return weight, None if biases[0] is None else torch.cat(biases)


def _fused_norm(plain: RMSNorm) -> nn.RMSNorm:
    """Return the norm as a single kernel call instead of eight small operations."""
    norm = nn.RMSNorm(plain.weight.shape, plain.epsilon, device="meta")
    norm.weight = plain.weight
    return norm


def _fuse(module: nn.Module, make_linear: MakeLinear) -> None:
    for name, child in module.named_children():
        if isinstance(child, MultiHeadAttention):
            setattr(module, name, FusedAttention(child, make_linear))
        elif isinstance(child, FeedForward):
            setattr(module, name, FusedFeedForward(child, make_linear))
        elif isinstance(child, RMSNorm):
            setattr(module, name, _fused_norm(child))
        else:
            _fuse(child, make_linear)
            if _is_llama(child):
                setattr(module, name, FusedLlamaBlock(child))
