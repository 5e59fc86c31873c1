"""AlphaFold 3's diffusion module in small: given the atoms and bonds of a molecule,
place the atoms in space.

The network has no built-in symmetry, so molecules are rotated at random, in training
and before each sampling step.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from genai_tutorial.data import HEAVY_ELEMENTS

from .geometry import kabsch, random_rotations, remove_mean
from .graph import RELATIONS, Graphs
from .networks import HEADS, AtomBlock, padding_bias

SIGMA_DATA = 1.15
"""Standard deviation of the coordinates of the book's molecules, in ångström; AlphaFold
3's is 16 Å.
"""


def karras_sigmas(
    steps: int, sigma_data: float | int = SIGMA_DATA
) -> Float[Tensor, " level"]:
    """Return AlphaFold 3's noise levels, from 160 to 0.0004 times the standard
    deviation of the coordinates, in their units.

    Args:
        sigma_data: Standard deviation of the coordinates.

    Raises:
        ValueError: If there are fewer than two steps.

    Source: Abramson et al., Accurate structure prediction of biomolecular interactions
        with AlphaFold 3, supplementary equation 7,
        https://doi.org/10.1038/s41586-024-07487-w
    """
    if steps < 2:
        raise ValueError(f"steps must be at least 2, got {steps}.")
    ramp = torch.linspace(0, 1, steps, dtype=torch.float64)
    largest, smallest, rho = 160.0, 4e-4, 7.0  # rho: above 1, more levels are small
    roots = largest ** (1 / rho) + ramp * (smallest ** (1 / rho) - largest ** (1 / rho))
    return sigma_data * roots**rho


class Scaling(NamedTuple):
    """The factors of Karras et al. at a noise level: the network sees `c_in * x`, and
    the prediction of the clean positions is `c_skip * x + c_out * output`.
    """

    c_skip: Float[Tensor, " *batch"]
    c_out: Float[Tensor, " *batch"]
    c_in: Float[Tensor, " *batch"]
    c_noise: Float[Tensor, " *batch"]


def precondition(
    sigma: Float[Tensor, " *batch"], sigma_data: float | int = SIGMA_DATA
) -> Scaling:
    """Return the factors at a noise level, so that the network's input and its target
    have variance 1 at every level.

    Source: Karras et al., Elucidating the Design Space of Diffusion-Based Generative
        Models, table 1, https://arxiv.org/abs/2206.00364
    """
    variance = sigma.square() + sigma_data**2
    return Scaling(
        c_skip=sigma_data**2 / variance,
        c_out=sigma * sigma_data / variance.sqrt(),
        c_in=1 / variance.sqrt(),
        c_noise=sigma.log() / 4,
    )


PlacingModel = Callable[
    [Float[Tensor, "batch atom 3"], Float[Tensor, " batch"], Graphs],
    Float[Tensor, "batch atom 3"],
]
"""Called as `model(x, sigma, graphs)`; returns the clean positions."""


class StructureNetwork(nn.Module):
    """Predicts clean positions from noisy ones, given the molecule's graph.

    The relation of two atoms adds a learned number to their attention score in each
    block and head. This pair bias replaces AlphaFold's pair representation.

    Args:
        width: The number of features per atom, a multiple of 4, the number of heads.
        seed: Seed of the initial weights.
    """

    def __init__(self, width: int = 96, layers: int = 4, seed: int = 0):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.elements = nn.Embedding(len(HEAVY_ELEMENTS), width)
            self.embed = nn.Linear(3 + 3, width)
            self.relations = nn.Embedding(RELATIONS, layers * HEADS)
            self.blocks = nn.ModuleList(AtomBlock(width) for _ in range(layers))
            self.norm = nn.LayerNorm(width)
            self.head = nn.Linear(width, 3)

    def forward(
        self,
        x: Float[Tensor, "batch atom 3"],
        sigma: Float[Tensor, " batch"],
        graphs: Graphs,
    ) -> Float[Tensor, "batch atom 3"]:
        """Return the predicted clean positions in ångström, with mean zero.

        Args:
            x: Noisy positions.
            sigma: The standard deviation of the noise of each molecule.
        """
        scale = Scaling(*(factor[:, None, None] for factor in precondition(sigma)))
        noise = scale.c_noise.expand(-1, x.shape[1], 1)
        told = torch.cat([scale.c_in * x, noise, noise.sin(), noise.cos()], dim=-1)
        features = self.embed(told) + self.elements(graphs.elements)
        pair = self.relations(graphs.relations).permute(0, 3, 1, 2)
        padding = padding_bias(graphs.mask, x.dtype)
        for block, bias in zip(self.blocks, pair.split(HEADS, dim=1), strict=True):
            features = block(features, bias + padding)
        output = self.head(self.norm(features))
        return remove_mean(scale.c_skip * x + scale.c_out * output, graphs.mask)


def structure_loss(
    model: PlacingModel,
    positions: Float[Tensor, "batch atom 3"],
    elements: Int[Tensor, "batch atom"],
    relations: Int[Tensor, "batch atom atom"],
    mask: Bool[Tensor, "batch atom"],
    *,
    generator: torch.Generator,
) -> Float[Tensor, ""]:
    """Return the weighted squared error of the predicted positions, after the true ones
    were aligned with them.

    Each molecule gets a random orientation and a random noise level.

    Source: Abramson et al., AlphaFold 3, supplementary equations 2, 3 and 6, without
        the terms for bonds and local distances and with the weights of Karras et al.,
        https://doi.org/10.1038/s41586-024-07487-w
    """
    true = remove_mean(positions, mask)
    rotations = random_rotations(len(true), generator).to(true.device)
    true = true @ rotations.transpose(1, 2)
    levels = torch.randn(len(true), generator=generator).to(true.device)
    sigma = SIGMA_DATA * (-1.2 + 1.5 * levels).exp()
    noise = torch.randn(true.shape, generator=generator).to(true.device)
    noisy = remove_mean(true + sigma[:, None, None] * noise, mask)
    predicted = model(noisy, sigma, Graphs(elements, relations, mask))
    with torch.no_grad():
        aligned = kabsch(true, predicted, mask.float()).apply(true)
    error = ((predicted - aligned).square().sum(-1) * mask).sum(1) / (3 * mask.sum(1))
    weights = (sigma.square() + SIGMA_DATA**2) / (sigma * SIGMA_DATA).square()
    return (weights * error).mean()


_CHURN = 0.8  # the noise that a step adds, as a share of the level
_CHURN_ABOVE = 1.0  # ångström: below, no noise is added
_NOISE_SCALE = 1.003
_STEP_SCALE = 1.5  # above 1 for less diversity and better structures


@torch.no_grad()
def place_atoms(
    model: PlacingModel, graphs: Graphs, steps: int, generator: torch.Generator
) -> Iterator[Float[Tensor, "batch atom 3"]]:
    """Place the atoms of molecules step by step, with AlphaFold 3's sampler.

    At each step the atoms are centred and turned at random, some noise is added, and
    the positions move towards the prediction.

    Args:
        model: Called as `model(x, sigma, graphs)`; predicts the clean positions.
        generator: Random generator for noise and rotations.

    Yields:
        The positions after each step; the last ones are the samples.

    Source: Abramson et al., AlphaFold 3, supplementary algorithms 18 and 19,
        https://doi.org/10.1038/s41586-024-07487-w
    """
    sigmas = karras_sigmas(steps + 1).tolist()
    shape = (*graphs.mask.shape, 3)
    device = graphs.mask.device
    x = sigmas[0] * torch.randn(shape, generator=generator).to(device)
    for level, lower in pairwise(sigmas):
        x = remove_mean(x, graphs.mask)
        x = x @ random_rotations(len(x), generator).to(device).transpose(1, 2)
        raised = level * (1 + (_CHURN if lower > _CHURN_ABOVE else 0.0))
        spread = _NOISE_SCALE * max(raised**2 - level**2, 0.0) ** 0.5
        noisy = x + spread * torch.randn(shape, generator=generator).to(device)
        noisy = remove_mean(noisy, graphs.mask)
        clean = model(noisy, torch.full((len(x),), raised, device=device), graphs)
        x = noisy + _STEP_SCALE * (lower - raised) * (noisy - clean) / raised
        yield x
