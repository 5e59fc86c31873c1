"""The retrieval task: find the caption of a picture among many, or the picture of a
caption.
"""

from collections.abc import Collection

import torch
from jaxtyping import Float
from torch import Tensor

from .captions import full_captions
from .random_scenes import Split, random_scenes
from .scenes import Colour, Scene, Shape, render


def distinct_scenes(
    n: int, generator: torch.Generator, objects: tuple[int, ...], split: Split = "train"
) -> tuple[Scene, ...]:
    """Draw scenes of which no two share a caption, whichever object it names first.

    Two pictures with the same caption would count as each other's errors.

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
                f"There are fewer than {n} different captions of this kind: found "
                f"{before}."
            )
    return tuple(scenes.values())[:n]


def retrieval_task(
    n: int,
    seed: int,
    objects: tuple[int, ...] = (2,),
    split: Split = "train",
    pairs: Collection[tuple[Colour, Shape]] | None = None,
) -> tuple[Float[Tensor, "n 3 height width"], tuple[str, ...]]:
    """Return pictures with different captions, and the full caption of each.

    Args:
        objects: The possible numbers of objects in a scene.
        split: As for `load_shapes`.
        pairs: Keep only scenes in which at least one object has one of these colours
            and shapes; None keeps all.

    Raises:
        ValueError: If there are not that many different captions.
    """
    generator = torch.Generator().manual_seed(seed)
    drawn = distinct_scenes(n if pairs is None else 5 * n, generator, objects, split)
    scenes = [
        scene
        for scene in drawn
        if pairs is None
        or any((thing.colour, thing.shape) in pairs for thing in scene.objects)
    ][:n]
    if len(scenes) < n:
        raise ValueError(f"Only {len(scenes)} of {n} scenes have one of these pairs.")
    return render(scenes), tuple(full_captions(scene)[0] for scene in scenes)
