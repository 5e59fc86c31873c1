"""Diversity of drawings: how evenly one caption's drawings use places and sizes."""

import math
from collections import Counter

from jaxtyping import Float
from torch import Tensor

from .captions import describe
from .verifier import read_scenes


def layout_entropy(images: Float[Tensor, "n 3 height width"]) -> float:
    """Return the entropy in bits of place and size, over the drawings that show a
    single object.

    It is log2 of 10 if all ten combinations are equally frequent, and 0 if all drawings
    have the same place and size.

    Raises:
        ValueError: If no drawing shows a single object.

    >>> from genai_tutorial.tasks.shapes import load_shapes
    >>> layout_entropy(load_shapes(1, seed=0, objects=(1,)).images.repeat(5, 1, 1, 1))
    0.0
    """
    single = [
        describe(reading.scene)
        for reading in read_scenes(images)
        if len(reading.scene.objects) == 1
    ]
    if not single:
        raise ValueError(f"None of the {len(images)} drawings shows a single object.")
    counts = Counter((one.place, one.objects[0].size) for one in single).values()
    return sum(count * math.log2(len(single) / count) for count in counts) / len(single)
