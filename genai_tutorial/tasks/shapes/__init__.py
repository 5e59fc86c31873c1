"""The shapes task: scenes of coloured shapes with captions, and a verifier that reads a
picture back and compares it with its caption.
"""

from genai_tutorial.tasks.shapes.binding import (
    ColourBinding,
    attention_binding,
    colour_binding,
    unlike_pairs,
)
from genai_tutorial.tasks.shapes.caption_accuracy import (
    MOST_MISFIT,
    CaptionAccuracy,
    CaptionScore,
    caption_accuracy,
    caption_score,
    caption_scores,
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
from genai_tutorial.tasks.shapes.diversity import layout_entropy
from genai_tutorial.tasks.shapes.editing import EditAccuracy, edit_accuracy
from genai_tutorial.tasks.shapes.pictures import CaptionedScenes, load_shapes
from genai_tutorial.tasks.shapes.random_scenes import (
    HELD_OUT_PAIRS,
    HELD_OUT_RELATIONS,
    random_scenes,
)
from genai_tutorial.tasks.shapes.retrieval import distinct_scenes, retrieval_task
from genai_tutorial.tasks.shapes.scenes import (
    COLOURS,
    IMAGE_SIZE,
    OPPOSITE,
    Colour,
    Place,
    Scene,
    SceneObject,
    Shape,
    Size,
    place,
    relation,
    render,
)
from genai_tutorial.tasks.shapes.tokens import (
    CAPTION_LENGTH,
    CAPTION_TOKENIZER,
    encode_captions,
)
from genai_tutorial.tasks.shapes.verifier import Reading, read_scenes
from genai_tutorial.tasks.shapes.zero_shot import class_captions

__all__ = [
    "CAPTION_LENGTH",
    "CAPTION_TOKENIZER",
    "COLOURS",
    "HELD_OUT_PAIRS",
    "HELD_OUT_RELATIONS",
    "IMAGE_SIZE",
    "MOST_MISFIT",
    "OPPOSITE",
    "CaptionAccuracy",
    "CaptionQuiz",
    "CaptionScore",
    "CaptionedScenes",
    "Colour",
    "ColourBinding",
    "Description",
    "EditAccuracy",
    "ObjectDescription",
    "Place",
    "Reading",
    "Scene",
    "SceneObject",
    "Shape",
    "Size",
    "all_captions",
    "attention_binding",
    "caption",
    "caption_accuracy",
    "caption_quiz",
    "caption_score",
    "caption_scores",
    "caption_words",
    "class_captions",
    "colour_binding",
    "describe",
    "distinct_scenes",
    "edit_accuracy",
    "encode_captions",
    "full_captions",
    "layout_entropy",
    "load_shapes",
    "parse_caption",
    "place",
    "random_scenes",
    "read_scenes",
    "relation",
    "render",
    "retrieval_task",
    "unlike_pairs",
    "verifier_accuracy",
]
