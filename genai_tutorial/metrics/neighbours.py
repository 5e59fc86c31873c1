"""Nearest neighbours of images in pixel space."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Neighbours:
    """The nearest references of each query, nearest first.

    Attributes:
        distances: Euclidean distance over all pixels.
        indices: Index of the reference.
    """

    distances: Float[Tensor, "query k"]
    indices: Int[Tensor, "query k"]


@torch.no_grad()
def nearest_neighbours(
    queries: Float[Tensor, "query *shape"],
    references: Float[Tensor, "reference *shape"],
    k: int = 1,
    chunk: int = 512,
) -> Neighbours:
    """Find the k nearest references of each query by Euclidean distance in pixel space,
    exactly.

    Args:
        queries: Images (or any points) to find neighbours for.
        references: Images of the same shape to search in.
        k: The number of neighbours.
        chunk: Number of queries per matrix product; changes the memory, not the result.

    Raises:
        ValueError: If the shapes differ, or `k` or `chunk` is out of range.

    >>> found = nearest_neighbours(
    ...     torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0], [0.0, 1.0]]), k=2
    ... )
    >>> found.indices.tolist(), found.distances.tolist()
    ([[1, 0]], [[1.0, 5.0]])
    """
    if queries.shape[1:] != references.shape[1:]:
        raise ValueError(
            f"Images have different shapes: {tuple(queries.shape[1:])} and "
            f"{tuple(references.shape[1:])}"
        )
    if not 1 <= k <= len(references):
        raise ValueError(
            f"k must be from 1 to the number of references, {len(references)}, got {k}"
        )
    if chunk < 1:
        raise ValueError(f"chunk must be at least 1, got {chunk}")
    # In float32, ‖a‖² + ‖b‖² − 2ab loses the small distances, which are the ones that
    # matter here.
    flat_queries, flat_references = (
        queries.flatten(1).double(),
        references.flatten(1).double(),
    )
    reference_squares = flat_references.square().sum(dim=1)
    indices, distances = [], []
    for part in flat_queries.split(chunk):
        # The square of the query is the same for all references, so the order does not
        # depend on it.
        nearest = (
            (reference_squares - 2 * part @ flat_references.T)
            .topk(k, largest=False)
            .indices
        )
        # Computed from the difference, the distance of a copy is 0, not 1e-7.
        found = (
            (part[:, None, :] - flat_references[nearest]).square().sum(dim=-1).sqrt()
        )
        order = found.argsort(dim=1, stable=True)
        indices.append(nearest.gather(1, order))
        distances.append(found.gather(1, order))
    return Neighbours(
        distances=torch.cat(distances).to(queries.dtype), indices=torch.cat(indices)
    )


@dataclass(frozen=True)
class CopyCheck:
    """How close samples come to the training images, beside how close real images do
    that were never trained on.

    A copy lies far closer to one training image than to any other. A blurred sample
    lies close to many, so that a small distance alone does not make a copy: the ratio
    of the two nearest distances does.

    Attributes:
        sample_distances: Distance of each sample to its nearest training image.
        held_out_distances: The same for each held-out real image.
        sample_ratios: Nearest distance divided by the second nearest, from 0 (a copy)
            to 1.
        held_out_ratios: The same for each held-out real image.
        nearest: Which training image is nearest to each sample.
    """

    sample_distances: Float[Tensor, "sample"]
    held_out_distances: Float[Tensor, "held_out"]
    sample_ratios: Float[Tensor, "sample"]
    held_out_ratios: Float[Tensor, "held_out"]
    nearest: Int[Tensor, "sample"]

    def copies(self, ratio: float = 1 / 3) -> Bool[Tensor, "sample"]:
        """Say of each sample whether it is a copy: less than `ratio` times as far from
        the nearest as from the second.

        Source: Yoon, Choi, Kwon and Ryu (2023), Diffusion probabilistic models
        generalize when they fail to memorize, who use a third.
        """
        return self.sample_ratios < ratio


def check_copies(
    samples: Float[Tensor, "sample *shape"],
    train: Float[Tensor, "train *shape"],
    held_out: Float[Tensor, "held_out *shape"],
) -> CopyCheck:
    """Compare the samples of a model with its training images, and held-out real images
    with them, in the same way.

    Args:
        samples: What the model made.
        train: All images it was trained on, at least two.
        held_out: Real images that it was not trained on: what new images look like by
            this measure.

    Raises:
        ValueError: If the shapes differ, or there are fewer than two training images.

    >>> train = torch.eye(4)
    >>> check = check_copies(
    ...     samples=train[:1] * 0.99, train=train, held_out=torch.full((1, 4), 0.25)
    ... )
    >>> check.copies().tolist(), check.held_out_ratios.tolist()
    ([True], [1.0])
    """
    if len(train) < 2:
        raise ValueError(
            "train must hold at least 2 images, a nearest and a second nearest one, "
            f"got {len(train)}"
        )
    found = nearest_neighbours(samples, train, k=2)
    real = nearest_neighbours(held_out, train, k=2)
    return CopyCheck(
        sample_distances=found.distances[:, 0],
        held_out_distances=real.distances[:, 0],
        sample_ratios=_ratios(found),
        held_out_ratios=_ratios(real),
        nearest=found.indices[:, 0],
    )


def _ratios(neighbours: Neighbours) -> Float[Tensor, "query"]:
    nearest, second = neighbours.distances.unbind(dim=1)
    # Where two training images are the same and the sample equals both, it is a copy
    # all the same.
    return torch.where(second > 0, nearest / second, torch.zeros_like(nearest))
