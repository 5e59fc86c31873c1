"""1,797 handwritten digits of 8×8 pixels, on which a model trains in a second."""

import torch

from genai_tutorial.runtime import require

from .images import Images
from .source import Source

SOURCE = Source(
    name="Digits, 8×8",
    loader="load_digits",
    contents=(
        "1,797 handwritten digits of 8×8 pixels with 17 levels of grey, 174 to 183 for "
        "each of ten classes"
    ),
    package="scikit-learn",
    extra="images",
    url="https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits",
    licence="CC BY 4.0",
    attribution=(
        "E. Alpaydin and C. Kaynak (1998), Optical Recognition of Handwritten Digits, "
        "UCI"
    ),
)


def load_digits() -> Images:
    """Load 1,797 digits of 8×8 pixels, scaled from 0…16 in scikit-learn to 0…1.

    Source: the test set of UCI's Optical Recognition of Handwritten Digits, included in
        scikit-learn.
    """
    # No cache: scikit-learn reads its own file in a few milliseconds.
    bunch = require("sklearn.datasets", extra="images").load_digits()
    return Images(
        torch.tensor(bunch.images / 16, dtype=torch.float32),
        torch.tensor(bunch.target, dtype=torch.int64),
    )
