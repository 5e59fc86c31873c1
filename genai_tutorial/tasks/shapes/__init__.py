"""The shapes task: scenes of coloured shapes with captions, and a verifier that reads
an image back and compares it with its caption.

Read `scenes` and `captions`, then `pictures`, the data sets, and `verifier`.
`caption_accuracy` measures images and edits with it, `directed` images that follow an
outline or an instruction.
"""

from .caption_accuracy import (
    CaptionAccuracy,
    CaptionQuiz,
    CaptionScorer,
    ColourBinding,
    EditAccuracy,
    Respect,
    attention_binding,
    caption_accuracy,
    caption_quiz,
    caption_scores,
    colour_binding,
    edit_accuracy,
    unlike_pairs,
    verifier_accuracy,
)
from .captions import (
    CAPTION_LENGTH,
    CAPTION_TOKENIZER,
    Description,
    ObjectDescription,
    all_captions,
    caption,
    caption_words,
    class_captions,
    describe,
    encode_captions,
    full_captions,
    parse_caption,
)
from .directed import (
    EditScore,
    Instruction,
    LayoutAccuracy,
    instruction_scores,
    layout_accuracy,
    layout_scores,
    outlines,
    random_instructions,
    silhouettes,
    unchanged_positions,
)
from .pictures import (
    HELD_OUT_EITHER_WAY,
    HELD_OUT_PAIRS,
    HELD_OUT_RELATIONS,
    SHAPES_SOURCE,
    CaptionedScenes,
    Split,
    distinct_scenes,
    load_shapes,
    random_scenes,
    retrieval_task,
)
from .scenes import (
    DIAMETERS,
    IMAGE_SIZE,
    OPPOSITE,
    PINK,
    Colour,
    Place,
    Scene,
    SceneObject,
    Shape,
    Size,
    SpatialRelation,
    ink_colour,
    place,
    relation,
    render,
    render_in,
)
from .verifier import Reading, read_scenes
