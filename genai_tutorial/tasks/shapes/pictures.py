"""Captioned shapes: as many different pictures with exact captions as a model can use,
drawn by our own code.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.data.source import Source
from genai_tutorial.tasks.shapes.captions import all_captions, caption
from genai_tutorial.tasks.shapes.random_scenes import Split, random_scenes
from genai_tutorial.tasks.shapes.scenes import Scene, render

# Not among the package's SOURCES, which list what comes from elsewhere: this data is
# made by the book's own code.
SOURCE = Source(
    name="Captioned shapes",
    loader="load_shapes",
    contents=(
        "as many pictures of one to three coloured shapes as wanted, of 32×32 pixels, "
        "each with exact captions"
    ),
    package="genai_tutorial",
    extra="core",
    url="https://github.com/genai-tutorial/genai-tutorial",
    licence="MIT, as the code that draws them",
    attribution="The Generative AI Explained authors",
)


@dataclass(frozen=True)
class CaptionedScenes:
    """Pictures, and what they show.

    Attributes:
        images: Red, green and blue of each pixel, from 0 to 1.
        scenes: What each picture shows.
    """

    images: Float[Tensor, "n 3 32 32"]
    scenes: tuple[Scene, ...]

    def __len__(self) -> int:
        return len(self.scenes)

    @cached_property
    def captions(self) -> tuple[str, ...]:
        """The full caption of each picture."""
        return tuple(caption(scene) for scene in self.scenes)

    def varied_captions(self, generator: torch.Generator) -> tuple[str, ...]:
        """Return a true caption of each picture, in half of the cases any one: in
        another order, or with less in it.
        """
        chosen = torch.randint(2**31, (len(self), 2), generator=generator).tolist()
        return tuple(
            full if keep % 2 else (texts := all_captions(scene))[which % len(texts)]
            for full, scene, (keep, which) in zip(
                self.captions, self.scenes, chosen, strict=True
            )
        )


def load_shapes(
    n: int, seed: int, objects: Sequence[int] = (1, 2, 3), split: Split = "train"
) -> CaptionedScenes:
    """Draw scenes and their pictures.

    Args:
        n: How many.
        seed: The same seed gives the same scenes and the same pixels on every machine.
        objects: How many objects a scene may have, each number equally often: some of
            1, 2 and 3.
        split: `train`, or scenes with a colour and shape, or a relation of shapes, that
            `train` never has.

    Raises:
        ValueError: If a number is out of range, there is no such split, or `new
            relations` of single objects are asked.

    >>> shapes = load_shapes(1000, seed=0)
    >>> shapes.images.shape
    torch.Size([1000, 3, 32, 32])
    >>> shapes.captions[0]
    'a large green triangle left of a large yellow cross and above a small green square'
    """
    scenes = random_scenes(n, torch.Generator().manual_seed(seed), objects, split)
    return CaptionedScenes(render(scenes), scenes)
