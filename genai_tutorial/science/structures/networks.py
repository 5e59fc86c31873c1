"""Two networks on molecules in space: one turns with its input by construction, and a
Transformer has to learn it.

The layers use positions only through distances, which no rotation changes, and through
differences between atoms, which turn with the molecule. The output positions therefore
turn by construction, and nothing has to be learned from rotated examples.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from genai_tutorial.diffusion import sinusoidal_features

from .diffusion import centred
from .geometry import remove_mean

TIME_FEATURES = 16
NEIGHBOURS = 5.0  # sums over atoms are divided by this, to keep their size near 1
MOST_ATOMS = 10.0  # the number of atoms is divided by this


@dataclass(frozen=True)
class EquivariantConfig:
    """The settings of an equivariant network.

    Attributes:
        elements: The number of elements, each an input and an output.
        width: The number of features per atom.
    """

    elements: int
    width: int = 64
    layers: int = 4


class EquivariantLayer(nn.Module):
    """One round of messages between all atoms of a molecule.

    A message is computed from the features of both atoms and their distance. It changes
    the receiver's features, and moves the receiver along the line between the two.

    Args:
        width: The number of features per atom.

    Source: Satorras, Hoogeboom and Welling, E(n) Equivariant Graph Neural Networks,
        equations 3 to 6 and, for the attention, section 3.3,
        https://arxiv.org/abs/2102.09844; the bounded step follows Hoogeboom et al.,
        Equivariant Diffusion for Molecule Generation in 3D,
        https://arxiv.org/abs/2203.17003
    """

    def __init__(self, width: int):
        super().__init__()
        self.receiver = nn.Linear(width, width)
        self.sender = nn.Linear(width, width, bias=False)
        self.distance = nn.Linear(2, width, bias=False)
        self.message = nn.Linear(width, width)
        self.attention = nn.Linear(width, 1)
        self.update_in = nn.Linear(2 * width, width)
        self.update_out = nn.Linear(width, width)
        self.step_in = nn.Linear(width, width)
        self.step_out = nn.Linear(width, 1, bias=False)
        nn.init.normal_(self.step_out.weight, std=1e-3)
        nn.init.zeros_(self.update_out.weight)

    def forward(
        self,
        features: Float[Tensor, "batch atom width"],
        positions: Float[Tensor, "batch atom 3"],
        first_distances: Float[Tensor, "batch atom atom 1"],
        pairs: Float[Tensor, "batch atom atom 1"],
    ) -> tuple[Float[Tensor, "batch atom width"], Float[Tensor, "batch atom 3"]]:
        """Return the new features and positions.

        Args:
            first_distances: The squared distances at the network's input.
            pairs: 1 for two different atoms of the molecule, 0 otherwise.
        """
        differences = positions[:, :, None] - positions[:, None]
        squared = differences.square().sum(dim=-1, keepdim=True)
        messages = F.silu(
            self.receiver(features)[:, :, None]
            + self.sender(features)[:, None]
            + self.distance(torch.cat([squared, first_distances], dim=-1))
        )
        messages = F.silu(self.message(messages))
        messages = messages * (self.attention(messages).sigmoid() * pairs)
        steps = self.step_out(F.silu(self.step_in(messages))) * pairs
        directions = differences / (squared.clamp(min=1e-8).sqrt() + 1)
        positions = positions + (directions * steps).sum(dim=2)
        gathered = torch.cat([features, messages.sum(dim=2) / NEIGHBOURS], dim=-1)
        change = self.update_out(F.silu(self.update_in(gathered)))
        return features + change, positions


class EquivariantNetwork(nn.Module):
    """Predicts the noise in a molecule's positions and element scores.

    Args:
        seed: Seed of the initial weights.
    """

    def __init__(self, config: EquivariantConfig, seed: int = 0):
        super().__init__()
        self.config = config
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.embed = nn.Linear(config.elements + TIME_FEATURES + 1, config.width)
            self.layers = nn.ModuleList(
                EquivariantLayer(config.width) for _ in range(config.layers)
            )
            self.head = nn.Linear(config.width, config.elements)

    def forward(
        self,
        x: Float[Tensor, "batch atom channels"],
        t: Float[Tensor, " batch"],
        mask: Bool[Tensor, "batch atom"],
    ) -> Float[Tensor, "batch atom channels"]:
        """Return the noise in x: three coordinates with mean zero, then one number per
        element.

        Args:
            x: Noisy molecules: three coordinates and one score per element.
            t: The timestep of each molecule, from 0 to 999.
            mask: True for atoms that belong to the molecule, False for padding.
        """
        start, scores = x[..., :3], x[..., 3:]
        real = mask[..., None].to(x.dtype)
        features = self.embed(
            torch.cat([scores, context_features(t, mask, x.dtype)], dim=-1)
        )
        apart = 1 - torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
        pairs = (real * real.transpose(1, 2) * apart)[..., None]
        distances = (start[:, :, None] - start[:, None]).square()
        distances = distances.sum(dim=-1, keepdim=True)
        positions = start
        for layer in self.layers:
            features, positions = layer(features, positions, distances, pairs)
        moved = remove_mean(positions - start, mask)
        return torch.cat([moved, self.head(features) * real], dim=-1)


def context_features(
    t: Float[Tensor, " batch"], mask: Bool[Tensor, "batch atom"], dtype: torch.dtype
) -> Float[Tensor, "batch atom features"]:
    """Return features of timestep and number of atoms, the same for all atoms."""
    count = mask.sum(dim=1, keepdim=True) / MOST_ATOMS
    told = torch.cat([sinusoidal_features(t, TIME_FEATURES), count], dim=1)
    return told.to(dtype)[:, None].expand(-1, mask.shape[1], -1)


HEADS = 4
"""The number of attention heads, which divides the width."""


class AtomBlock(nn.Module):
    """Attention between the atoms of a molecule and a feed-forward layer, each with a
    norm before it and a residual connection around it.
    """

    def __init__(self, width: int):
        super().__init__()
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
        q, k, v = projected.view(batch, atoms, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        mixed = mixed.transpose(1, 2).reshape(batch, atoms, width)
        features = features + self.attention_out(mixed)
        inner = F.silu(self.widen(self.feed_forward_norm(features)))
        return features + self.narrow(inner)


class AtomTransformer(nn.Module):
    """Predicts the noise in a molecule's positions and element scores; called as the
    `EquivariantNetwork` is.

    Args:
        elements: The number of elements, each an input and an output.
        width: The number of features per atom, a multiple of 4, the number of heads.
        seed: Seed of the initial weights.
    """

    def __init__(self, elements: int, width: int = 64, layers: int = 4, seed: int = 0):
        super().__init__()
        channels = 3 + elements
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.embed = nn.Linear(channels + TIME_FEATURES + 1, width)
            self.blocks = nn.ModuleList(AtomBlock(width) for _ in range(layers))
            self.norm = nn.LayerNorm(width)
            self.head = nn.Linear(width, channels)

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
