"""Multi-head attention: several heads, each looking for something else in its own part
of the features.
"""

from jaxtyping import Bool, Float
from torch import Tensor, nn

from genai_tutorial.transformer.alibi import alibi_bias
from genai_tutorial.transformer.attention import attention_weights, fused_attention
from genai_tutorial.transformer.cache import LayerCache
from genai_tutorial.transformer.masks import sliding_window_mask
from genai_tutorial.transformer.norms import RMSNorm
from genai_tutorial.transformer.rotary import RotaryEmbedding


class MultiHeadAttention(nn.Module):
    """Attention with several heads: causal self-attention, unless told otherwise.

    Args:
        width: The number of features in and out.
        heads: How many heads share them; must divide `width`.
        key_value_heads: How many heads the keys and values have, each for a group of
            query heads; None for `heads`.
        bias: Whether the four linear layers add a learned constant.
        rotary: Turns queries and keys by their positions; None leaves them.
        query_key_norm: Whether to normalise queries and keys, which bounds the scores
            and lets training go faster.
        causal: Whether a position sees only what is at and before it.
        window: How many positions a causal query sees, its own included; None for all.
        alibi: Whether to lower the scores of what is far away.
        context_width: The number of features of another text, to take keys and values
            from (cross-attention, which is never causal); None for self-attention.

    Raises:
        ValueError: If numbers of heads do not divide each other, or two settings do not
            fit together.

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
        context_width: int | None = None,
    ):
        super().__init__()
        key_value_heads = heads if key_value_heads is None else key_value_heads
        _check(width, heads, key_value_heads)
        if context_width is not None and (
            rotary is not None or alibi or window is not None
        ):
            raise ValueError(
                "Cross-attention has no distances: leave rotary, alibi and window out "
                "with context_width."
            )
        if (window is not None or alibi) and not causal:
            raise ValueError("window and alibi look back, so they need causal=True.")
        self.heads, self.head_width = heads, width // heads
        shared_width = key_value_heads * self.head_width
        source_width = width if context_width is None else context_width
        self.query = nn.Linear(width, width, bias=bias)
        self.key = nn.Linear(source_width, shared_width, bias=bias)
        self.value = nn.Linear(source_width, shared_width, bias=bias)
        self.output = nn.Linear(width, width, bias=bias)
        self.query_norm = RMSNorm(self.head_width) if query_key_norm else None
        self.key_norm = RMSNorm(self.head_width) if query_key_norm else None
        self.rotary, self.window, self.alibi = rotary, window, alibi
        self.causal, self.crossed = (
            causal and context_width is None,
            context_width is not None,
        )

    def forward(
        self,
        x: Float[Tensor, "batch position width"],
        past: LayerCache | None = None,
        *,
        context: Float[Tensor, "batch key context_width"] | None = None,
        mask: Bool[Tensor, "#batch #head #position #key"] | None = None,
    ) -> Float[Tensor, "batch position width"]:
        """Mixes into each position what its heads find.

        Args:
            x: The vectors.
            past: Holds what came before `x`, and takes up what is new; None where `x`
                is the whole text.
            context: The other text, for cross-attention.
            mask: True where a position may see a key, on top of what the layer hides
                anyway: `padding_mask`.

        Raises:
            ValueError: If `context` is missing from cross-attention, or given to
                self-attention.
        """
        query, key, value = self._project(
            x, context, None if past is None else past.cache.turns
        )
        if past is not None:
            key, value = past.append(key, value)
            mixed = fused_attention(
                query,
                key,
                value,
                past.cache.mask,
                past.cache.bias,
                past.cache.is_causal,
            )
        elif self.causal and self.window is None and not self.alibi and mask is None:
            mixed = fused_attention(query, key, value, is_causal=True)
        else:
            mixed = fused_attention(query, key, value, *self._sight(x, mask))
        return self.output(
            mixed.transpose(1, 2).flatten(2)
        )  # the heads side by side again

    def weights(
        self,
        x: Float[Tensor, "batch position width"],
        *,
        context: Float[Tensor, "batch key context_width"] | None = None,
        mask: Bool[Tensor, "#batch #head #position #key"] | None = None,
    ) -> Float[Tensor, "batch head position key_position"]:
        """Return the attention maps that `forward` uses and does not keep."""
        query, key, _ = self._project(x, context)
        return attention_weights(query, key, *self._sight(x, mask))

    def _project(
        self,
        x: Tensor,
        context: Tensor | None = None,
        turns: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return query, key and value, each of shape (batch, head, position, dim)."""
        if self.crossed != (context is not None):
            raise ValueError(
                "Cross-attention needs a context." if self.crossed else
                (
                    "Self-attention takes no context: give the layer a context_width "
                    "to let it look at another text."
                )
            )  # fmt: skip
        source = x if context is None else context
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
            query, key = self.rotary(query, turns), self.rotary(key, turns)
        return query, key, value

    def _sight(
        self, x: Tensor, mask: Tensor | None
    ) -> tuple[Tensor | None, Tensor | None]:
        """Return which keys each query may see in a whole text, and what is added to
        their scores.
        """
        length, device = x.shape[1], x.device
        if self.causal:
            own = sliding_window_mask(length, self.window or length, device)
            mask = own if mask is None else own & mask
        return mask, alibi_bias(self.heads, length, device).to(
            x.dtype
        ) if self.alibi else None


def _check(width: int, heads: int, key_value_heads: int) -> None:
    if width % heads:
        raise ValueError(
            "heads must divide width, so that every head gets as many features; got "
            f"{heads=}, {width=}."
        )
    if key_value_heads < 1 or heads % key_value_heads:
        raise ValueError(
            "key_value_heads must divide heads, so that each serves as many; got "
            f"{key_value_heads=}, {heads=}."
        )
