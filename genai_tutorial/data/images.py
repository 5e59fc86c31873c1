"""Labelled greyscale images and their train/test split."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Images:
    """Greyscale images with class labels.

    Attributes:
        images: Brightness of each pixel, from 0 (background) to 1 (ink).
        labels: Class of each image, starting at 0.
    """

    images: Float[Tensor, "n height width"]
    labels: Int[Tensor, "n"]

    def __len__(self) -> int:
        return len(self.images)

    @property
    def flat(self) -> Float[Tensor, "n pixels"]:
        """The images flattened to rows of pixels."""
        return self.images.flatten(start_dim=1)

    def split(self, train_per_class: int, seed: int) -> tuple["Images", "Images"]:
        """Draw a balanced training set; all other images become the test set.

        Args:
            train_per_class: Number of training images per class.
            seed: Seed of the split, which is the same on every machine.

        Returns:
            The training set and the test set, each in the original order.

        Raises:
            ValueError: If some class has too few images to leave one for testing.

        >>> digits = Images(torch.zeros(6, 2, 2), torch.tensor([0, 1, 0, 1, 0, 1]))
        >>> train, test = digits.split(train_per_class=2, seed=0)
        >>> train.labels.bincount().tolist(), test.labels.bincount().tolist()
        ([2, 2], [1, 1])
        """
        counts = torch.bincount(self.labels)
        smallest = int(counts[counts > 0].min())
        if not 1 <= train_per_class < smallest:
            raise ValueError(
                f"train_per_class must be from 1 to {smallest - 1}, because the "
                f"smallest class has {smallest} images "
                f"and one is kept for the test, got {train_per_class}"
            )
        generator = torch.Generator().manual_seed(seed)
        chosen = torch.zeros(len(self), dtype=torch.bool)
        for label in self.labels.unique():
            members = (self.labels == label).nonzero().flatten()
            chosen[
                members[
                    torch.randperm(len(members), generator=generator)[:train_per_class]
                ]
            ] = True
        return Images(self.images[chosen], self.labels[chosen]), Images(
            self.images[~chosen], self.labels[~chosen]
        )
