"""Learned sinks: attention in which each head may attend to nothing."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from .attention import MultiHeadAttention, attention_weights, share_heads
from .context import AttentionContext, causal_mask
from .positions import RotaryEmbedding


def sink_weights(
    query: Float[Tensor, "batch head query dim"],
    key: Float[Tensor, "batch shared key dim"],
    sinks: Float[Tensor, " head"],
    mask: Bool[Tensor, "*#batch_and_head #query #key"] | None = None,
) -> Float[Tensor, "batch head query key"]:
    """Return the attention weights with a sink: the softmax over the scores of all keys
    and one more number per head, whose own weight is dropped.

    A row sums to less than one; what is missing is the weight of the sink, which has no
    value to add.

    Args:
        key: The keys; they may have fewer heads, as for `attention`.
        sinks: The score of each head's sink.
        mask: True where a query may attend to a key; None for all pairs.

    Source: OpenAI, gpt-oss model card, section 2.2, https://arxiv.org/abs/2508.10925

    >>> zeros = torch.zeros(1, 1, 2, 4)  # two keys and the sink match equally
    >>> sink_weights(zeros, zeros, torch.zeros(1))
    tensor([[[[0.3333, 0.3333],
              [0.3333, 0.3333]]]])
    """
    # A key of zeros has the score 0, to which the bias adds the sink.
    padded = functional.pad(share_heads(key, query), (0, 0, 1, 0))
    bias = functional.pad(sinks[:, None, None], (0, key.shape[2]))
    mask = None if mask is None else functional.pad(mask, (1, 0), value=True)
    return attention_weights(query, padded, mask, bias)[..., 1:]


class SinkAttention(MultiHeadAttention):
    """Causal `MultiHeadAttention` with a learned sink per head.

    Args:
        width: The number of input and output features.
        heads: The number of attention heads; must divide `width`.
        rotary: Rotates queries and keys by their positions; None for no rotation.
        window: The number of positions that a query attends to, its own included; None
            for all.
        layer: The index under which a cache stores the layer's keys and values.

    Source: OpenAI, gpt-oss model card, section 2.2, https://arxiv.org/abs/2508.10925
    """

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        rotary: RotaryEmbedding | None = None,
        window: int | None = None,
        layer: int = 0,
    ):
        super().__init__(width, heads, rotary=rotary, window=window, layer=layer)
        self.sinks = nn.Parameter(torch.zeros(heads))

    def forward(
        self,
        x: Float[Tensor, "batch position width"],
        context: AttentionContext | None = None,
    ) -> Float[Tensor, "batch position width"]:
        """Apply attention with all heads and combine their outputs.

        Args:
            context: Masks, positions and cache; None for whole texts.
        """
        context = AttentionContext() if context is None else context
        query, key, value = self.project(x, context)
        key, value = context.append(self.layer, key, value)
        query, key = context.rotate_late(self.rotary, query, key)
        weights = sink_weights(query, key, self.sinks, self._mask(x, context))
        return self.output((weights @ value).transpose(1, 2).flatten(2))

    def weights(
        self,
        x: Float[Tensor, "batch position width"],
        context: AttentionContext | None = None,
    ) -> Float[Tensor, "batch head position key_position"]:
        """Return the attention weights, without the sinks'; does not work with a
        cache.
        """
        context = AttentionContext() if context is None else context
        query, key, _ = self.project(x, context)
        return sink_weights(query, key, self.sinks, self._mask(x, context))

    def _mask(self, x: Tensor, context: AttentionContext) -> Tensor | None:
        mask, _, is_causal = context.visibility(x, self.pattern)
        return causal_mask(x.shape[1], x.device) if is_causal else mask
