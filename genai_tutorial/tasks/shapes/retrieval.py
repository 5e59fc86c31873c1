"""The retrieval task: find the caption of a picture among many, and the other way
round.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.tasks.shapes.captions import full_captions
from genai_tutorial.tasks.shapes.random_scenes import Split, random_scenes
from genai_tutorial.tasks.shapes.scenes import Scene, render


def distinct_scenes(
    n: int, generator: torch.Generator, objects: tuple[int, ...], split: Split = "train"
) -> tuple[Scene, ...]:
    """Draw scenes of which no two have the same caption, in any order of its words.

    Two pictures of the same caption would count as each other's mistakes.

    Raises:
        ValueError: If there are not that many different captions.
    """
    scenes: dict[str, Scene] = {}
    while len(scenes) < n:
        before = len(scenes)
        for scene in random_scenes(max(n, 100), generator, objects, split):
            scenes.setdefault(min(full_captions(scene)), scene)
        if len(scenes) == before:
            raise ValueError(
                f"There are hardly {n} different captions of this kind: {before} were "
                "found"
            )
    return tuple(scenes.values())[:n]


def retrieval_task(
    n: int, seed: int, objects: tuple[int, ...] = (2,), split: Split = "train"
) -> tuple[Float[Tensor, "n 3 height width"], tuple[str, ...]]:
    """Return pictures with different captions, and for each its full caption."""
    scenes = distinct_scenes(n, torch.Generator().manual_seed(seed), objects, split)
    return render(scenes), tuple(full_captions(scene)[0] for scene in scenes)
