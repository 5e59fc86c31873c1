"""Atoms in space without their pose: centring, random rotations and alignment."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def remove_mean(
    positions: Float[Tensor, "batch atom 3"], mask: Bool[Tensor, "batch atom"]
) -> Float[Tensor, "batch atom 3"]:
    """Move the mean of each molecule's atoms to the origin, and padding to zero.

    >>> positions = torch.tensor([[[1.0, 0, 0], [3.0, 0, 0], [9.0, 9, 9]]])
    >>> remove_mean(positions, torch.tensor([[True, True, False]]))[0, :, 0]
    tensor([-1.,  1.,  0.])
    """
    weights = mask[..., None].to(positions.dtype)
    total = (positions * weights).sum(dim=1, keepdim=True)
    return (positions - total / weights.sum(dim=1, keepdim=True)) * weights


def random_rotations(
    count: int, generator: torch.Generator
) -> Float[Tensor, "count 3 3"]:
    """Draw uniformly distributed rotations, as matrices with determinant 1.

    Four normal numbers, divided by their norm, are a uniform unit quaternion.

    Source: Shoemake, Uniform Random Rotations, Graphics Gems III, 1992
    """
    quaternions = torch.randn(count, 4, generator=generator, dtype=torch.float64)
    w, x, y, z = (quaternions / quaternions.norm(dim=1, keepdim=True)).unbind(dim=1)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return torch.stack([torch.stack(row, dim=1) for row in rows], dim=1).float()


class Alignment(NamedTuple):
    """The rigid motion that brings points onto others: `points @ rotation.T +
    translation`.

    Attributes:
        rotation: A matrix with determinant 1 for each molecule.
        translation: Added after the rotation.
    """

    rotation: Float[Tensor, "batch 3 3"]
    translation: Float[Tensor, "batch 1 3"]

    def apply(
        self, positions: Float[Tensor, "batch atom 3"]
    ) -> Float[Tensor, "batch atom 3"]:
        """Return the moved points."""
        return positions @ self.rotation.transpose(1, 2) + self.translation


def kabsch(
    moving: Float[Tensor, "batch atom 3"],
    fixed: Float[Tensor, "batch atom 3"],
    weights: Float[Tensor, "batch atom"],
) -> Alignment:
    """Return the rigid motion that minimizes the weighted squared distances to `fixed`.

    The singular values of the 3×3 matrix of products give the best orthogonal matrix.
    If that is a reflection, the direction with the smallest singular value is flipped:
    a molecule and its mirror image stay different.

    Args:
        moving: The points to move.
        fixed: The points to move them onto, in the same order.
        weights: The weight of each atom, zero for padding.

    Raises:
        ValueError: If a weight is negative or all weights of a molecule are zero.

    Source: Kabsch, A solution for the best rotation to relate two sets of vectors, Acta
        Crystallographica A32, 1976; Abramson et al., Accurate structure prediction of
        biomolecular interactions with AlphaFold 3, algorithm 28,
        https://doi.org/10.1038/s41586-024-07487-w
    """
    if not (weights >= 0).all() or not (weights.sum(dim=1) > 0).all():
        raise ValueError(
            "weights must not be negative, and each molecule needs one above zero."
        )
    share = (weights / weights.sum(dim=1, keepdim=True))[..., None]
    moving_mean = (share * moving).sum(dim=1, keepdim=True)
    fixed_mean = (share * fixed).sum(dim=1, keepdim=True)
    products = (share * (fixed - fixed_mean)).transpose(1, 2) @ (moving - moving_mean)
    left, _, right = torch.linalg.svd(products)
    signs = torch.ones_like(left[:, 0])
    signs[:, 2] = torch.linalg.det(left @ right).sign()
    rotation = (left * signs[:, None]) @ right
    translation = fixed_mean - moving_mean @ rotation.transpose(1, 2)
    return Alignment(rotation, translation)


def aligned_rmsd(
    moving: Float[Tensor, "batch atom 3"],
    fixed: Float[Tensor, "batch atom 3"],
    mask: Bool[Tensor, "batch atom"],
) -> Float[Tensor, " batch"]:
    """Return the root mean squared distance of the atoms after the best alignment.

    Raises:
        ValueError: If a molecule has no atom.
    """
    weights = mask.to(moving.dtype)
    aligned = kabsch(moving, fixed, weights).apply(moving)
    squared = (aligned - fixed).square().sum(dim=-1)
    return ((squared * weights).sum(dim=1) / weights.sum(dim=1)).sqrt()
