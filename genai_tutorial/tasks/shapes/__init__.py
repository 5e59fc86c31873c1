"""The shapes task: scenes of coloured shapes with captions, and a verifier that reads a
picture back and compares it with its caption.
"""

from .binding import ColourBinding, attention_binding, colour_binding, unlike_pairs
from .caption_accuracy import (
    CaptionAccuracy,
    CaptionScore,
    caption_accuracy,
    caption_scores,
    verifier_accuracy,
)
from .caption_quiz import CaptionQuiz, CaptionScorer, Respect, caption_quiz
from .captions import (
    Description,
    ObjectDescription,
    all_captions,
    caption,
    caption_words,
    describe,
    full_captions,
    parse_caption,
)
from .editing import EditAccuracy, edit_accuracy
from .pictures import SOURCE, CaptionedScenes, load_shapes
from .random_scenes import HELD_OUT_PAIRS, HELD_OUT_RELATIONS, Split, random_scenes
from .retrieval import distinct_scenes, retrieval_task
from .scenes import (
    DIAMETERS,
    IMAGE_SIZE,
    OPPOSITE,
    Colour,
    Place,
    Relation,
    Scene,
    SceneObject,
    Shape,
    Size,
    place,
    relation,
    render,
)
from .tokens import CAPTION_LENGTH, CAPTION_TOKENIZER, encode_captions
from .verifier import Reading, read_scenes
from .zero_shot import class_captions
