"""Multi-head attention: several heads, each looking for something else in its own part of the features."""

from jaxtyping import Float
from torch import Tensor, nn

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
        key_value_heads: How many heads the keys and values have, each for a group of query heads; None for `heads`.
        bias: Whether the four linear layers add a learned constant.
        rotary: Turns queries and keys by their positions; None leaves them.
        query_key_norm: Whether to normalise queries and keys, which bounds the scores and lets training go faster.
        causal: Whether a position sees only what is at and before it. Cross-attention is never causal.
        window: How many positions a causal query sees, its own included; None for all.

    Raises:
        ValueError: If `heads` does not divide `width`, or `key_value_heads` does not divide `heads`.

    Source: Vaswani et al., Attention Is All You Need, section 3.2.2, https://arxiv.org/abs/1706.03762;
        Henry et al., Query-Key Normalization for Transformers, https://arxiv.org/abs/2010.04245
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
    ):
        super().__init__()
        key_value_heads = heads if key_value_heads is None else key_value_heads
        if width % heads:
            raise ValueError(
                f"heads must divide width, so that every head gets as many features; got {heads=}, {width=}."
            )
        if key_value_heads < 1 or heads % key_value_heads:
            raise ValueError(
                f"key_value_heads must divide heads, so that each serves as many; got {key_value_heads=}, {heads=}."
            )
        self.head_width = width // heads
        shared_width = key_value_heads * self.head_width
        self.query = nn.Linear(width, width, bias=bias)
        self.key = nn.Linear(width, shared_width, bias=bias)
        self.value = nn.Linear(width, shared_width, bias=bias)
        self.output = nn.Linear(width, width, bias=bias)
        self.query_norm = RMSNorm(self.head_width) if query_key_norm else None
        self.key_norm = RMSNorm(self.head_width) if query_key_norm else None
        self.rotary = rotary
        self.causal, self.window = causal, window

    def forward(
        self, x: Float[Tensor, "batch position width"], past: LayerCache | None = None
    ) -> Float[Tensor, "batch position width"]:
        """Mixes into each position what its heads find.

        Args:
            x: The vectors.
            past: Holds what came before `x`, and takes up what is new; None where `x` is the whole text.
        """
        query, key, value = self._project(x, past)
        if past is None:
            mask = sliding_window_mask(x.shape[1], self.window, x.device) if self.window else None
            mixed = fused_attention(query, key, value, mask, is_causal=self.causal and mask is None)
        else:
            key, value = past.append(key, value)
            mixed = fused_attention(query, key, value, past.mask, is_causal=past.is_causal)
        return self.output(mixed.transpose(1, 2).flatten(2))  # the heads side by side again

    def weights(self, x: Float[Tensor, "batch position width"]) -> Float[Tensor, "batch head query key"]:
        """Returns the attention maps that `forward` uses and does not keep."""
        query, key, _ = self._project(x)
        length = x.shape[1]
        return attention_weights(query, key, sliding_window_mask(length, self.window or length, x.device))

    def _project(self, x: Tensor, past: LayerCache | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Returns query, key and value, each of shape (batch, head, position, dim)."""
        batch, length, _ = x.shape
        query, key, value = (
            layer(x).view(batch, length, -1, self.head_width).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        if self.query_norm is not None:
            query, key = self.query_norm(query), self.key_norm(key)
        if self.rotary is not None:
            turns = None if past is None else past.turns
            query, key = self.rotary(query, turns), self.rotary(key, turns)
        return query, key, value
