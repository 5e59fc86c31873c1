"""The shapes task: scenes of coloured shapes with captions, and a verifier that reads a
picture back and compares it with its caption.
"""

from genai_tutorial.tasks.shapes.caption_accuracy import (
    CaptionAccuracy,
    CaptionScore,
    caption_accuracy,
    caption_score,
    verifier_accuracy,
)
from genai_tutorial.tasks.shapes.caption_quiz import CaptionQuiz, caption_quiz
from genai_tutorial.tasks.shapes.captions import (
    Description,
    ObjectDescription,
    all_captions,
    caption,
    caption_words,
    describe,
    full_captions,
    parse_caption,
)
from genai_tutorial.tasks.shapes.pictures import CaptionedScenes, load_shapes
from genai_tutorial.tasks.shapes.random_scenes import (
    HELD_OUT_PAIRS,
    HELD_OUT_RELATIONS,
    random_scenes,
)
from genai_tutorial.tasks.shapes.scenes import (
    COLOURS,
    Scene,
    SceneObject,
    place,
    relation,
    render,
)
from genai_tutorial.tasks.shapes.verifier import Reading, read_scenes

__all__ = [
    "COLOURS",
    "HELD_OUT_PAIRS",
    "HELD_OUT_RELATIONS",
    "CaptionAccuracy",
    "CaptionQuiz",
    "CaptionScore",
    "CaptionedScenes",
    "Description",
    "ObjectDescription",
    "Reading",
    "Scene",
    "SceneObject",
    "all_captions",
    "caption",
    "caption_accuracy",
    "caption_quiz",
    "caption_score",
    "caption_words",
    "describe",
    "full_captions",
    "load_shapes",
    "parse_caption",
    "place",
    "random_scenes",
    "read_scenes",
    "relation",
    "render",
    "verifier_accuracy",
]
