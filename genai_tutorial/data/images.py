"""Labelled grey images, and the split into training and test images."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Images:
    """Grey images with their class.

    Attributes:
        images: Brightness of each pixel, from 0 (background) to 1 (ink).
        labels: The class of each image, counted from 0.
    """

    images: Float[Tensor, "n height width"]
    labels: Int[Tensor, "n"]

    def __len__(self) -> int:
        return len(self.images)

    @property
    def flat(self) -> Float[Tensor, "n pixels"]:
        """The same images, each as one row of pixels."""
        return self.images.flatten(start_dim=1)

    def split(self, train_per_class: int, seed: int) -> tuple["Images", "Images"]:
        """Draw the same number of training images from every class; all others are test
        images.

        Args:
            train_per_class: How many training images each class gets.
            seed: The same seed gives the same split on every machine.

        Returns:
            The training images and the test images, each in the order of this set.

        Raises:
            ValueError: If some class has too few images to leave one for the test.

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
