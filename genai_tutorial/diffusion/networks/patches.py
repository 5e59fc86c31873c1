"""Patches: an image is split into squares, each of which becomes a token."""

import torch
from jaxtyping import Float
from torch import Tensor


def patchify(
    images: Float[Tensor, "batch channel height width"], patch_size: int
) -> Float[Tensor, "batch patch pixels"]:
    """Split images into patches, row by row; each patch is flattened, one channel after
    the other.

    Source: Dosovitskiy et al., An Image is Worth 16x16 Words, section 3.1,
        https://arxiv.org/abs/2010.11929
    """
    height, width = images.shape[2:]
    if patch_size < 1 or height % patch_size or width % patch_size:
        raise ValueError(
            f"patch_size must divide the sides of the images, got {patch_size} and "
            f"{height}x{width}."
        )
    # batch channel row y column x
    grid = images.unflatten(2, (-1, patch_size)).unflatten(4, (-1, patch_size))
    return grid.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)


def unpatchify(
    patches: Float[Tensor, "batch patch pixels"],
    patch_size: int,
    height: int,
    width: int,
) -> Float[Tensor, "batch channel height width"]:
    """Put the patches back together: the inverse of `patchify`."""
    rows, columns = height // patch_size, width // patch_size
    if patches.shape[1] != rows * columns or patches.shape[2] % patch_size**2:
        raise ValueError(
            f"Images of {height}x{width} pixels have {rows * columns} patches with a "
            f"multiple of {patch_size**2} numbers each, got {patches.shape[1]} patches "
            f"with {patches.shape[2]}."
        )
    grid = patches.unflatten(1, (rows, columns)).unflatten(
        3, (-1, patch_size, patch_size)
    )
    return grid.permute(0, 3, 1, 4, 2, 5).flatten(4).flatten(2, 3)


def grid_positions(rows: int, columns: int, width: int) -> Float[Tensor, "patch width"]:
    """Return a sinusoidal position embedding: half of its features encode the column of
    a patch, the other half its row.

    Source: Peebles and Xie, Scalable Diffusion Models with Transformers, section 3.2,
        https://arxiv.org/abs/2212.09748
    """
    if width < 4 or width % 4:
        raise ValueError(
            "width must be a multiple of 4, so that sines and cosines share it; got "
            f"{width}."
        )
    row, column = torch.meshgrid(
        torch.arange(rows), torch.arange(columns), indexing="ij"
    )
    return torch.cat(
        (
            _sinusoids(column.flatten(), width // 2),
            _sinusoids(row.flatten(), width // 2),
        ),
        dim=1,
    )


def _sinusoids(position: Tensor, width: int) -> Tensor:
    frequencies = 10_000.0 ** (-torch.arange(0, width, 2) / width)
    angles = torch.outer(position.float(), frequencies)
    return torch.cat((angles.sin(), angles.cos()), dim=1)
