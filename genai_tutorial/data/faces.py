"""100 faces of 25×25 pixels, cropped from press photographs."""

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.runtime import require

from .source import Source

FACES_SOURCE = Source(
    name="Faces, 25×25",
    loader="load_faces",
    contents="100 grey faces of 25×25 pixels, without names",
    package="scikit-image",
    extra="images",
    url="https://vis-www.cs.umass.edu/lfw/",
    licence=(
        "none stated: press photographs that the University of Massachusetts collected "
        "for research"
    ),
    attribution=(
        "G. B. Huang, M. Mattar, H. Lee and E. Learned-Miller (2012), Labeled Faces in "
        "the Wild"
    ),
)


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
