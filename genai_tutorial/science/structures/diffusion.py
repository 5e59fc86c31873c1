"""Diffusion of molecules in space: positions and elements are noised together.

A molecule is a table: one row per atom, with three coordinates and one score per
element (1 for its own, 0 for the others). Chapter 8's schedules and samplers work on
this table as on an image, but positions and their noise have mean zero, and molecules
are padded to the largest one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from genai_tutorial.data import HEAVY_ELEMENTS, Ligand
from genai_tutorial.diffusion import (
    NOISE,
    Denoised,
    Model,
    NoiseSchedule,
    Step,
    cosine_schedule,
    ddpm,
    last_sample,
)

from .geometry import remove_mean

ANGSTROM = 1 / 1.5
"""The length of an ångström in the table, so that its numbers have a size near 1."""

MOLECULE_SCHEDULE: NoiseSchedule = cosine_schedule()
"""The noise schedule of all models of molecules, with 1,000 timesteps."""

FARTHEST = 6.0  # predicted coordinates are clipped to this
SCORES = (-0.5, 1.5)  # and predicted element scores to this range


class Geometry(NamedTuple):
    """A molecule in space.

    Attributes:
        elements: Indices into `HEAVY_ELEMENTS`.
        positions: In ångström.
    """

    elements: Int[Tensor, " atom"]
    positions: Float[Tensor, "atom 3"]

    @property
    def symbols(self) -> tuple[str, ...]:
        """The elements as symbols."""
        return tuple(HEAVY_ELEMENTS[index] for index in self.elements.tolist())


class MoleculeTable(NamedTuple):
    """Molecules as a batch of tables.

    Attributes:
        x: Three coordinates and one score per element, zero for padding.
        mask: True for rows that are atoms.
    """

    x: Float[Tensor, "batch atom channels"]
    mask: Bool[Tensor, "batch atom"]


def to_table(molecules: Sequence[Ligand | Geometry]) -> MoleculeTable:
    """Write molecules into tables, padded to the largest molecule.

    Raises:
        ValueError: If there are no molecules.
    """
    if not molecules:
        raise ValueError("There are no molecules: give at least one.")
    scores = [F.one_hot(each.elements, len(HEAVY_ELEMENTS)) for each in molecules]
    rows = [
        torch.cat([molecule.positions * ANGSTROM, score], dim=1)
        for molecule, score in zip(molecules, scores, strict=True)
    ]
    x = pad_sequence(rows, batch_first=True)
    mask = pad_sequence([score.any(dim=1) for score in scores], batch_first=True)
    return MoleculeTable(centred(x, mask), mask)


def from_table(table: MoleculeTable) -> list[Geometry]:
    """Read molecules out of tables; an atom's element is the one with the largest
    score.
    """
    return [
        Geometry(row[real, 3:].argmax(dim=1), row[real, :3] / ANGSTROM)
        for row, real in zip(table.x, table.mask, strict=True)
    ]


def centred(
    x: Float[Tensor, "batch atom channels"], mask: Bool[Tensor, "batch atom"]
) -> Float[Tensor, "batch atom channels"]:
    """Remove the mean of the positions, and everything from the padding.

    Source: Hoogeboom et al., Equivariant Diffusion for Molecule Generation in 3D,
        section 3.1, https://arxiv.org/abs/2203.17003
    """
    return torch.cat([remove_mean(x[..., :3], mask), x[..., 3:] * mask[..., None]], -1)


def molecule_loss(
    model: Model,
    x: Float[Tensor, "batch atom channels"],
    mask: Bool[Tensor, "batch atom"],
    *,
    generator: torch.Generator,
    timesteps: Float[Tensor, " batch"] | None = None,
) -> Float[Tensor, ""]:
    """Return the squared error of the predicted noise per coordinate, plus that per
    element score.

    Args:
        model: Called as `model(x, t, mask)`; predicts the noise.
        x: The tables of molecules.
        mask: True for rows that are atoms.
        generator: Random generator for the timesteps and the noise.
        timesteps: The timestep of each molecule; None draws them.

    Returns:
        One number; a model that always predicts zero has a loss just below 2.

    Source: Ho et al., Denoising Diffusion Probabilistic Models, equation 14,
        https://arxiv.org/abs/2006.11239
    """
    if timesteps is None:
        timesteps = MOLECULE_SCHEDULE.draw_timesteps(len(x), generator)
    t = timesteps.to(x.device)
    noise = centred(torch.randn(x.shape, generator=generator).to(x), mask)
    error = model(MOLECULE_SCHEDULE.add_noise(x, noise, t), t, mask) - noise
    squared = error.square() * mask[..., None]
    atoms = mask.sum()
    positions = squared[..., :3].sum() / (3 * atoms)
    return positions + squared[..., 3:].sum() / ((x.shape[-1] - 3) * atoms)


def rotate(
    x: Float[Tensor, "batch atom channels"], matrices: Float[Tensor, "batch 3 3"]
) -> Float[Tensor, "batch atom channels"]:
    """Rotate the positions of each molecule by its matrix, or mirror them."""
    turned = x[..., :3] @ matrices.to(x).transpose(1, 2)
    return torch.cat([turned, x[..., 3:]], dim=-1)


@dataclass(frozen=True)
class MoleculeDenoiser:
    """Chapter 8's denoiser for tables of molecules."""

    model: Model
    mask: Bool[Tensor, "batch atom"]
    path: NoiseSchedule = MOLECULE_SCHEDULE

    @torch.no_grad()
    def __call__(
        self, x: Float[Tensor, "batch atom channels"], t: float | int
    ) -> Denoised:
        """Predict the molecules and the noise in x, which is at timestep t."""
        level = self.path.level(t)
        x = centred(x, self.mask)
        output = self.model(x, torch.full((len(x),), float(t)).to(x), self.mask)
        x0 = NOISE.to_denoised(x, centred(output, self.mask), level).x0
        positions = x0[..., :3].clamp(-FARTHEST, FARTHEST)
        x0 = torch.cat([positions, x0[..., 3:].clamp(*SCORES)], dim=-1)
        x0 = centred(x0, self.mask)
        return Denoised(x0, (x - level.signal * x0) / level.noise)


def draw_sizes(
    molecules: Sequence[Ligand | Geometry], count: int, generator: torch.Generator
) -> Int[Tensor, " count"]:
    """Draw numbers of atoms, as frequent as among the given molecules."""
    sizes = torch.tensor([len(molecule.elements) for molecule in molecules])
    return sizes[torch.randint(len(sizes), (count,), generator=generator)]


def molecule_steps(
    model: Model, sizes: Int[Tensor, " count"], steps: int, generator: torch.Generator
) -> Iterator[tuple[Step, MoleculeTable]]:
    """Draw molecules step by step, each step with the molecules predicted so far.

    Args:
        model: Called as `model(x, t, mask)`; predicts the noise.
        sizes: The number of atoms of each molecule.
        generator: Random generator for the noise.

    Yields:
        The sampler's step, and the table of the molecules predicted at it.

    Raises:
        ValueError: If `steps` is not from 1 to 1,000.
    """
    mask = torch.arange(int(sizes.max()), device=sizes.device) < sizes[:, None]
    start = torch.randn(*mask.shape, 3 + len(HEAVY_ELEMENTS), generator=generator)
    start = start.to(sizes.device)
    denoise = MoleculeDenoiser(model, mask)
    timesteps = MOLECULE_SCHEDULE.timesteps(steps)
    for step in ddpm(denoise, centred(start, mask), timesteps, generator=generator):
        yield step, MoleculeTable(step.x0, mask)


def sample_molecules(
    model: Model, sizes: Int[Tensor, " count"], steps: int, generator: torch.Generator
) -> list[Geometry]:
    """Draw molecules; see `molecule_steps`.

    Raises:
        ValueError: If `steps` is not from 1 to 1,000.
    """
    walk = list(molecule_steps(model, sizes, steps, generator))
    last = last_sample(step for step, _ in walk)
    return from_table(MoleculeTable(last, walk[-1][1].mask))


def equivariance_error(
    model: Model,
    table: MoleculeTable,
    matrices: Float[Tensor, "batch 3 3"],
    t: Float[Tensor, " batch"],
) -> float:
    """Return how far the output for turned molecules is from the turned output,
    relative to the output's largest number.

    Args:
        model: Called as `model(x, t, mask)`.
        matrices: Rotations or reflections.
        t: The timestep of each molecule.
    """
    with torch.no_grad():
        expected = rotate(model(table.x, t, table.mask), matrices)
        turned = model(rotate(table.x, matrices), t, table.mask)
    return ((turned - expected).abs().max() / expected.abs().max()).item()
