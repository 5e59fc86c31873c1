"""A small network that classifies digits: its confidence judges single images, and its
features compare sets of images.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

_BINS = 10  # of the calibration error


@dataclass(frozen=True)
class DigitClassifierConfig:
    """The sizes of the network.

    Attributes:
        channels: Channels of the three convolutions. Each is followed by max pooling,
            which halves height and width.
        features: Number of features of an image before the last layer.
    """

    channels: tuple[int, int, int] = (16, 32, 64)
    features: int = 64
    classes: int = 10


class DigitClassifier(nn.Module):
    """A convolutional network for images of 28 × 28 pixels: three convolutions,
    features of each image, a score for each class.

    Args:
        config: The sizes; `None` for the book's.

    >>> classifier = DigitClassifier()
    >>> images = torch.zeros(2, 28, 28)
    >>> classifier(images).shape, classifier.features(images).shape
    (torch.Size([2, 10]), torch.Size([2, 64]))
    """

    def __init__(self, config: DigitClassifierConfig | None = None, seed: int = 0):
        super().__init__()
        self.config = config or DigitClassifierConfig()
        first, second, third = self.config.channels
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.body = nn.Sequential(
                *_halving_block(1, first),  # 28 to 14 pixels
                *_halving_block(first, second),  # to 7
                *_halving_block(second, third),  # to 3
                nn.Flatten(),
                nn.Linear(third * 3 * 3, self.config.features),
            )
            self.head = nn.Sequential(
                nn.SiLU(),
                nn.Dropout(0.2),
                nn.Linear(self.config.features, self.config.classes),
            )

    def features(self, images: Float[Tensor, "n 28 28"]) -> Float[Tensor, "n feature"]:
        """Return the features of each image, with brightness from 0 to 1.

        Raises:
            ValueError: If the images have another size.
        """
        if images.ndim != 3 or images.shape[1:] != (28, 28):
            raise ValueError(
                f"images must have the shape (n, 28, 28), got {tuple(images.shape)}."
            )
        return self.body(images[:, None] * 2 - 1)

    def forward(self, images: Float[Tensor, "n 28 28"]) -> Float[Tensor, "n class"]:
        """Return a score for each class; their softmax is the class probabilities."""
        return self.head(self.features(images))


def _halving_block(channels_in: int, channels_out: int) -> list[nn.Module]:
    return [
        nn.Conv2d(channels_in, channels_out, kernel_size=3, padding=1),
        nn.GroupNorm(8, channels_out),
        nn.SiLU(),
        nn.MaxPool2d(2),
    ]


@dataclass(frozen=True)
class DigitReading:
    """The classifier's features, the most probable class of each image, and the
    probability of this class.
    """

    features: Float[Tensor, "n feature"]
    labels: Int[Tensor, "n"]
    confidences: Float[Tensor, "n"]


@torch.no_grad()
def read_digits(
    classifier: DigitClassifier, images: Float[Tensor, "n 28 28"]
) -> DigitReading:
    """Classify images, in chunks.

    Args:
        classifier: In evaluation mode, as `load("digit-classifier")` in
            `genai_tutorial.pretrained` returns it.
        images: Brightness from 0 (background) to 1 (ink).

    Raises:
        ValueError: If the classifier is in training mode, where dropout is active, or
            there are no images.
    """
    if classifier.training:
        raise ValueError(
            "The classifier is in training mode, where dropout is active: call its "
            "eval() first."
        )
    if len(images) < 1:
        raise ValueError("There must be at least one image to classify, got none.")
    features = torch.cat([classifier.features(part) for part in images.split(500)])
    confidences, labels = classifier.head(features).softmax(dim=1).max(dim=1)
    return DigitReading(features, labels, confidences)


def expected_calibration_error(
    confidences: Float[Tensor, "n"], correct: Bool[Tensor, "n"]
) -> float:
    r"""Return the average difference between a classifier's confidence, from 0 to 1,
    and its accuracy; 0 is perfect.

    The images are sorted into ten bins of equal width by their confidence. In each, the
    mean confidence is compared with the accuracy:

    $$\text{ECE} = \sum_b \frac{n_b}{n} \left|\text{accuracy}_b -
    \text{confidence}_b\right|$$

    Source: Guo et al. (2017), On calibration of modern neural networks, equation 3,
    https://arxiv.org/abs/1706.04599

    >>> right = torch.tensor([True, True, True, False])
    >>> expected_calibration_error(torch.ones(4), right)
    0.25
    """
    confidences = confidences.double()
    bins = (confidences * _BINS).long().clamp(max=_BINS - 1)
    gaps = torch.zeros(_BINS, dtype=torch.float64).index_add(
        0, bins, correct.double() - confidences
    )
    return float(gaps.abs().sum() / len(confidences))
