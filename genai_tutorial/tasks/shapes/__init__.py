"""The shapes task: scenes of coloured shapes with captions, and a verifier that reads
an image back and compares it with its caption.

Read `scenes` and `captions`, then `pictures`, the data sets, and `verifier`.
`caption_accuracy` and `binding` measure images and edits with it, `outlines` and
`instructions` images that follow an outline or an instruction.
"""

from .binding import (
    CaptionQuiz,
    CaptionScorer,
    ColourBinding,
    Respect,
    attention_binding,
    caption_quiz,
    colour_binding,
    unlike_pairs,
)
from .caption_accuracy import (
    CaptionAccuracy,
    EditAccuracy,
    caption_accuracy,
    caption_scores,
    edit_accuracy,
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
from .instructions import (
    EditScore,
    Instruction,
    instruction_scores,
    random_instructions,
    unchanged_positions,
)
from .new_colour import PINK, ink_colour, render_in
from .outlines import (
    LayoutAccuracy,
    layout_accuracy,
    layout_scores,
    outlines,
    silhouettes,
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
    Colour,
    Place,
    Scene,
    SceneObject,
    Shape,
    Size,
    SpatialRelation,
    place,
    relation,
    render,
)
from .verifier import Reading, read_scenes
