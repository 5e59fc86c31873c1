"""Multi-head attention: several attention heads, each with its own share of the
features.
"""

from jaxtyping import Float
from torch import Tensor, nn

from .attention import attention_weights, fused_attention
from .context import AttentionContext, AttentionPattern
from .masks import causal_mask
from .norms import RMSNorm
from .rotary import RotaryEmbedding


class MultiHeadAttention(nn.Module):
    """Attention with several heads: causal self-attention by default.

    Args:
        width: The number of input and output features.
        heads: The number of attention heads; must divide `width`.
        key_value_heads: The number of key and value heads, each shared by a group of
            query heads; None for `heads`.
        bias: Whether the four linear layers have a bias.
        rotary: Rotates queries and keys by their positions; None for no rotation.
        query_key_norm: Whether to normalize queries and keys, which bounds the scores
            and allows larger learning rates.
        causal: Whether a position attends only to itself and earlier positions.
        window: The number of positions that a causal query attends to, its own
            included; None for all.
        alibi: Whether to penalize distant keys.
        source_width: The number of features of another sequence that supplies keys and
            values (cross-attention, never causal); None for self-attention.
        layer: The index of the layer in its model, under which a cache stores its keys
            and values.

    Raises:
        ValueError: If `heads` does not divide `width`, `key_value_heads` does not
            divide `heads`, or two settings contradict each other.

    Source: Vaswani et al., Attention Is All You Need, section 3.2.2,
        https://arxiv.org/abs/1706.03762; Henry et al., Query-Key Normalization for
        Transformers, https://arxiv.org/abs/2010.04245
    """

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        key_value_heads: int | None = None,
        bias: bool = False,
        rotary: RotaryEmbedding | None = None,
        query_key_norm: bool = False,
        causal: bool = True,
        window: int | None = None,
        alibi: bool = False,
        source_width: int | None = None,
        layer: int = 0,
    ):
        super().__init__()
        key_value_heads = heads if key_value_heads is None else key_value_heads
        _check(width, heads, key_value_heads)
        self.is_cross = source_width is not None
        if self.is_cross and (rotary is not None or alibi or window is not None):
            raise ValueError(
                "Cross-attention has no distances between positions, so source_width "
                "cannot be combined with rotary, alibi or window."
            )
        if (window is not None or alibi) and not causal:
            raise ValueError("window and alibi look back, so they need causal=True.")
        self.heads, self.head_width, self.layer = heads, width // heads, layer
        shared_width = key_value_heads * self.head_width
        source_width = source_width if self.is_cross else width
        self.query = nn.Linear(width, width, bias=bias)
        self.key = nn.Linear(source_width, shared_width, bias=bias)
        self.value = nn.Linear(source_width, shared_width, bias=bias)
        self.output = nn.Linear(width, width, bias=bias)
        self.query_norm = RMSNorm(self.head_width) if query_key_norm else None
        self.key_norm = RMSNorm(self.head_width) if query_key_norm else None
        self.rotary = rotary
        self.pattern = AttentionPattern(
            causal=causal and not self.is_cross,
            window=window,
            alibi_heads=heads if alibi else 0,
        )

    def forward(
        self,
        x: Float[Tensor, "batch position width"],
        context: AttentionContext | None = None,
        source: Float[Tensor, "batch key source_width"] | None = None,
    ) -> Float[Tensor, "batch position width"]:
        """Apply attention with all heads and combine their outputs.

        Args:
            x: The vectors that the queries are computed from.
            context: Masks, positions and cache; None for whole texts.
            source: The other sequence, for cross-attention.

        Raises:
            ValueError: If `source` is missing from cross-attention, or given to
                self-attention.
        """
        context = AttentionContext() if context is None else context
        query, key, value = self.project(x, context, source)
        key, value = context.append(self.layer, key, value)
        query, key = context.rotate_late(self.rotary, query, key)
        mask, bias, is_causal = context.visibility(x, self.pattern)
        mixed = fused_attention(query, key, value, mask, bias, is_causal)
        return self.output(mixed.transpose(1, 2).flatten(2))  # concatenate the heads

    def weights(
        self,
        x: Float[Tensor, "batch position width"],
        context: AttentionContext | None = None,
        source: Float[Tensor, "batch key source_width"] | None = None,
    ) -> Float[Tensor, "batch head position key_position"]:
        """Return the attention weights, which `forward` never stores; does not work
        with a cache.
        """
        context = AttentionContext() if context is None else context
        query, key, _ = self.project(x, context, source)
        mask, bias, is_causal = context.visibility(x, self.pattern)
        if is_causal:
            mask = causal_mask(x.shape[1], x.device)
        return attention_weights(query, key, mask, bias)

    def project(
        self, x: Tensor, context: AttentionContext, source: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values, each of shape (batch, head, position,
        dim).
        """
        if self.is_cross != (source is not None):
            raise ValueError(
                "Cross-attention needs a source." if self.is_cross else
                (
                    "Self-attention takes no source: give the layer a source_width to "
                    "let it attend to another sequence."
                )
            )  # fmt: skip
        source = x if source is None else source
        query, key, value = (
            layer(vectors).view(*vectors.shape[:2], -1, self.head_width).transpose(1, 2)
            for layer, vectors in (
                (self.query, x),
                (self.key, source),
                (self.value, source),
            )
        )
        if self.query_norm is not None:
            query, key = self.query_norm(query), self.key_norm(key)
        if self.rotary is not None:
            rotation = context.rotation(self.rotary)
            query, key = self.rotary(query, rotation), self.rotary(key, rotation)
        return query, key, value


def _check(width: int, heads: int, key_value_heads: int) -> None:
    if width % heads:
        raise ValueError(
            "heads must divide width, so that all heads get the same number of "
            f"features; got {heads=}, {width=}."
        )
    if key_value_heads < 1 or heads % key_value_heads:
        raise ValueError(
            "key_value_heads must divide heads, so that the groups are equally large; "
            f"got {key_value_heads=}, {heads=}."
        )
