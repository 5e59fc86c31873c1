"""A plain Transformer over atoms without built-in symmetry: it has to learn rotations
from molecules in random orientations.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from .diffusion import centred
from .equivariant import TIME_FEATURES, context_features


@dataclass(frozen=True)
class AtomTransformerConfig:
    """The settings of a Transformer over atoms.

    Attributes:
        elements: The number of elements, each an input and an output.
        width: The number of features per atom, a multiple of `heads`.

    Raises:
        ValueError: If a number is below 1, or `heads` does not divide `width`.
    """

    elements: int
    width: int = 64
    layers: int = 4
    heads: int = 4

    def __post_init__(self):
        if min(self.elements, self.width, self.layers, self.heads) < 1:
            raise ValueError(f"All settings must be at least 1, got {self}.")
        if self.width % self.heads:
            raise ValueError(
                f"heads must divide width, got {self.heads} and {self.width}."
            )


class AtomBlock(nn.Module):
    """Attention between the atoms of a molecule and a feed-forward layer, each with a
    norm before it and a residual connection around it.
    """

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.project = nn.Linear(width, 3 * width)
        self.attention_out = nn.Linear(width, width)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, 4 * width)
        self.narrow = nn.Linear(4 * width, width)
        for layer in (self.attention_out, self.narrow):
            nn.init.zeros_(layer.weight)

    def forward(
        self,
        features: Float[Tensor, "batch atom width"],
        bias: Float[Tensor, "batch #heads #atom atom"],
    ) -> Float[Tensor, "batch atom width"]:
        """Return the new features."""
        batch, atoms, width = features.shape
        projected = self.project(self.attention_norm(features))
        q, k, v = projected.view(batch, atoms, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        mixed = mixed.transpose(1, 2).reshape(batch, atoms, width)
        features = features + self.attention_out(mixed)
        inner = F.silu(self.widen(self.feed_forward_norm(features)))
        return features + self.narrow(inner)


class AtomTransformer(nn.Module):
    """Predicts the noise in a molecule's positions and element scores; called as the
    `EquivariantNetwork` is.

    Args:
        seed: Seed of the initial weights.
    """

    def __init__(self, config: AtomTransformerConfig, seed: int = 0):
        super().__init__()
        self.config = config
        channels = 3 + config.elements
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.embed = nn.Linear(channels + TIME_FEATURES + 1, config.width)
            self.blocks = nn.ModuleList(
                AtomBlock(config.width, config.heads) for _ in range(config.layers)
            )
            self.norm = nn.LayerNorm(config.width)
            self.head = nn.Linear(config.width, channels)

    def forward(
        self,
        x: Float[Tensor, "batch atom channels"],
        t: Float[Tensor, " batch"],
        mask: Bool[Tensor, "batch atom"],
    ) -> Float[Tensor, "batch atom channels"]:
        """Return the noise in x, as `EquivariantNetwork.forward` does."""
        features = self.embed(
            torch.cat([x, context_features(t, mask, x.dtype)], dim=-1)
        )
        bias = padding_bias(mask, x.dtype)
        for block in self.blocks:
            features = block(features, bias)
        return centred(self.head(self.norm(features)), mask)


def padding_bias(
    mask: Bool[Tensor, "batch atom"], dtype: torch.dtype
) -> Float[Tensor, "batch 1 1 atom"]:
    """Return minus infinity for padding and zero for atoms."""
    zeros = torch.zeros(mask.shape, dtype=dtype, device=mask.device)
    return zeros.masked_fill(~mask, -torch.inf)[:, None, None]
