"""Object hallucination: invented objects in captions, and questions about objects that
are present or absent.
"""

from collections import Counter
from collections.abc import Sequence
from typing import get_args

import torch

from genai_tutorial.tasks.shapes import (
    HELD_OUT_PAIRS,
    Colour,
    Scene,
    Shape,
    parse_caption,
)

from .questions import Question, ask_existence, near_misses


def invented_objects(scene: Scene, caption: str) -> int:
    """Return the number of objects in a caption that are not in the scene, by colour
    and shape.

    An object that is named twice and exists once counts as one invented object.

    Args:
        caption: A caption that names every object with its colour.

    Raises:
        ValueError: If the caption is not a sentence of the captions' grammar.

    Source: Rohrbach et al., Object Hallucination in Image Captioning, section 3.1
        (CHAIR), https://arxiv.org/abs/1809.02156

    >>> from genai_tutorial.tasks.shapes import SceneObject
    >>> scene = Scene((SceneObject("red", "circle", left=5, top=1, diameter=8),))
    >>> invented_objects(scene, "a small red circle above a large blue square")
    1
    """
    named = Counter(
        (thing.colour, thing.shape) for thing in parse_caption(caption).objects
    )
    there = Counter((thing.colour, thing.shape) for thing in scene.objects)
    return (named - there).total()


def polling_questions(
    scenes: Sequence[Scene], seed: int, *, only_near_misses: bool = False
) -> list[list[Question]]:
    """Ask about one object that is in each scene and one that is not, so that half of
    the answers are yes.

    Args:
        only_near_misses: Whether the absent object has the colour of one object in the
            scene and the shape of another; a scene without near misses gets no
            question. If False, neither its colour nor its shape is in the scene.

    Source: Li et al., Evaluating Object Hallucination in Large Vision-Language Models,
        section 5 (POPE, with random and adversarial objects),
        https://arxiv.org/abs/2305.10355

    >>> from genai_tutorial.tasks.shapes import SceneObject
    >>> scene = Scene((SceneObject("red", "circle", left=5, top=1, diameter=8),))
    >>> [(asked.text, asked.answer) for asked in polling_questions([scene], seed=0)[0]]
    [('is there a red circle ?', 'yes'), ('is there a yellow cross ?', 'no')]
    """
    generator = torch.Generator().manual_seed(seed)
    asked = []
    for scene in scenes:
        colours = {thing.colour for thing in scene.objects}
        shapes = {thing.shape for thing in scene.objects}
        absent = (
            near_misses(scene)
            if only_near_misses
            else [
                (colour, shape)
                for colour in get_args(Colour)
                for shape in get_args(Shape)
                if colour not in colours
                and shape not in shapes
                and (colour, shape) not in HELD_OUT_PAIRS
            ]
        )
        present = [(thing.colour, thing.shape) for thing in scene.objects]
        asked.append(
            [
                ask_existence(
                    scene, *pairs[torch.randint(len(pairs), (), generator=generator)]
                )
                for pairs in (present, absent)
                if absent
            ]
        )
    return asked
