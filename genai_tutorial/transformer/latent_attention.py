"""Multi-head latent attention: a cache holds one short vector per token, from which all
heads compute their keys and values.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .attention import fused_attention
from .cache import KVCache
from .context import AttentionContext, AttentionPattern
from .decoder import DecoderLM
from .layers import RMSNorm
from .positions import RotaryEmbedding


class MultiHeadLatentAttention(nn.Module):
    """Causal attention with the interface of `MultiHeadAttention`, whose keys and
    values are computed from a latent vector per token.

    A rotation can't be moved from the keys into the latent vector, so each query has
    further features that are rotated, and all heads share one rotated key. With a cache
    from `latent_cache`, neither keys nor values are built: the query is multiplied by
    the key matrix and the output by the value matrix, and in between the latent vectors
    are keys and values of multi-query attention.

    Args:
        width: The number of input and output features.
        heads: The number of heads; must divide `width`.
        latent: The number of features of the latent vector.
        rotary: Rotates the shared key; its number of features is even and comes on top
            of a head's own width / heads.
        layer: The index under which a cache stores the layer's vectors.

    Raises:
        ValueError: If `heads` does not divide `width`, or `latent` is below 1.

    Source: DeepSeek-AI, DeepSeek-V2, section 2.1 and appendix C,
    https://arxiv.org/abs/2405.04434
    """

    def __init__(
        self,
        width: int,
        heads: int,
        latent: int,
        rotary: RotaryEmbedding,
        *,
        layer: int = 0,
    ):
        super().__init__()
        if width % heads or latent < 1:
            raise ValueError(
                "heads must divide width, and latent be at least 1; got "
                f"{heads=}, {width=}, {latent=}."
            )
        self.heads, self.head_width, self.layer = heads, width // heads, layer
        self.latent, self.rotated = latent, rotary.cosines.shape[-1]
        self.rotary, self.pattern = rotary, AttentionPattern()
        own = width + heads * self.rotated
        self.query = nn.Linear(width, own, bias=False)
        self.down = nn.Linear(width, latent, bias=False)
        self.shared_key = nn.Linear(width, self.rotated, bias=False)
        self.norm = RMSNorm(latent)
        self.up_key = nn.Linear(latent, width, bias=False)
        self.up_value = nn.Linear(latent, width, bias=False)
        self.output = nn.Linear(width, width, bias=False)

    @torch.no_grad()
    def initialize(self, generator: torch.Generator) -> None:
        """Draw the matrices; the layer's output starts at zero."""
        for parameter in self.parameters():
            if parameter.dim() == 2:
                std = parameter.shape[1] ** -0.5
                parameter.normal_(0.0, std, generator=generator)
        self.output.weight.zero_()

    def forward(
        self,
        x: Float[Tensor, "batch position width"],
        context: AttentionContext | None = None,
    ) -> Float[Tensor, "batch position width"]:
        """Apply attention with all heads and combine their outputs.

        Args:
            context: Masks, positions and cache; None for whole texts.

        Raises:
            ValueError: If the cache is not one of `latent_cache`.
        """
        context = AttentionContext() if context is None else context
        query, rotated, latent, shared = self._project(x, context)
        visible = context.visibility(x, self.pattern)
        if context.cache is None:
            key, value = (
                up(latent).unflatten(-1, (self.heads, -1)).transpose(1, 2)
                for up in (self.up_key, self.up_value)
            )
            key = torch.cat((key, shared.expand(-1, self.heads, -1, -1)), dim=-1)
            mixed = fused_attention(
                torch.cat((query, rotated), dim=-1), key, value, *visible
            )
        else:
            stored = self._append(context, latent, shared)
            mixed = self._absorbed(query, rotated, stored, *visible)
        return self.output(mixed.transpose(1, 2).flatten(2))

    def _project(
        self, x: Tensor, context: AttentionContext
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return queries, rotated queries, latent vectors and rotated keys."""
        rotation = context.rotation(self.rotary)
        query = self.query(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        query, rotated = query.split([self.head_width, self.rotated], dim=-1)
        shared = self.rotary(self.shared_key(x)[:, None], rotation)
        latent = self.norm(self.down(x))
        return query, self.rotary(rotated, rotation), latent, shared

    def _append(
        self, context: AttentionContext, latent: Tensor, shared: Tensor
    ) -> Float[Tensor, "batch 1 key stored"]:
        """Store latent vectors and rotated keys, and return those of the whole text."""
        new = torch.cat((latent[:, None], shared), dim=-1)
        if context.cache.keys.shape[-1] != new.shape[-1]:
            raise ValueError(
                f"Latent attention stores {new.shape[-1]} features per token, and the "
                f"cache has room for {context.cache.keys.shape[-1]}: make it with "
                "latent_cache(model)."
            )
        return context.append(self.layer, new, new[..., :0])[0]

    def _absorbed(
        self,
        query: Tensor,
        rotated: Tensor,
        stored: Tensor,
        mask: Tensor | None,
        bias: Tensor | None,
        is_causal: bool,
    ) -> Float[Tensor, "batch head query head_width"]:
        """Attend to the stored vectors as they are."""
        up_key, up_value = (
            up.weight.unflatten(0, (self.heads, -1))
            for up in (self.up_key, self.up_value)
        )
        query = torch.cat((query @ up_key, rotated), dim=-1)
        # `fused_attention` divides by the root of what it sees, not of a head's width.
        scale = math.sqrt(query.shape[-1] / (self.head_width + self.rotated))
        mixed = fused_attention(
            query * scale, stored, stored[..., : self.latent], mask, bias, is_causal
        )
        return mixed @ up_value.transpose(-1, -2)


def latent_cache(model: DecoderLM, rows: int = 1) -> KVCache:
    """Return an empty cache of the context's length for a model whose blocks all have
    latent attention: per token and layer, one latent vector and one rotated key.

    Raises:
        ValueError: If a block has another kind of attention, or `rows` is below 1.
    """
    layers = [block.attention for block in model.blocks]
    if not all(isinstance(layer, MultiHeadLatentAttention) for layer in layers):
        kinds = ", ".join(sorted({type(layer).__name__ for layer in layers}))
        raise ValueError(
            f"Every block needs a MultiHeadLatentAttention; this model has {kinds}."
        )
    _, rows, _, length, _ = model.config.cache_sizes(rows)
    width = layers[0].latent + layers[0].rotated
    weight = model.token_embedding.weight
    cache = KVCache(len(layers), rows, 1, length, width, weight.dtype, weight.device)
    cache.values = cache.values[..., :0].clone()  # values come from the same vectors
    return cache
