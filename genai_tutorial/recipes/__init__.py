"""Recipes: all settings needed to retrain each of the book's models, and how to load
and sample what they trained.

Use `load`, `card`, `train` and `sample_by_name` from `catalogue`, which lists all
recipes by name. Read `recipe`, the base class, and `sampling`, then a recipe, for
example `shakespeare`. `families` holds chapter 11's comparison, and `speech`,
`factbook` and others hold the data that their models are measured on.
"""

from .arithmetic_reasoner import ARITHMETIC_REASONER
from .catalogue import card, load, names, recipe, sample_by_name, train, trained_folder
from .digit_classifier import N_EVAL_IMAGES, measure_digits
from .digit_models import SCHEDULE
from .factbook import (
    FACTBOOK_BASE,
    Corpus,
    load_corpus,
    packed_language_model_loss,
    packed_logits,
    write_corpus,
)
from .factbook_draft import FACTBOOK_DRAFT, agreement, packed_rows, teacher_targets
from .families import DIGIT_FAMILIES, FamilyRecord, FamilyRun, family_record
from .family_networks import PPCA_COMPONENTS, FamilyRecipe, Levels
from .latin import LATIN_LEFT_TO_RIGHT, LATIN_MASKED, held_out_puzzles
from .molecules import held_out_molecule_loss
from .push_policy import PUSH_POLICY, held_out_games, pushing_policy
from .recipe import (
    FilmSamples,
    ImageSamples,
    Recipe,
    RunSettings,
    SoundSamples,
    TextSamples,
    Trained,
    build_rounded,
    load_recipe,
)
from .sampling import parse_options, sample
from .shakespeare import held_out_loss
from .shapes_clip import SHAPES_CLIP
from .shapes_diffusion import SHAPES_SCHEDULE, draw_scenes
from .shapes_directed import SHAPES_CONTROL, name_objects
from .shapes_video import LatentVideo
from .shapes_vlm import SHAPES_VLM
from .smollm2_tools import SMOLLM2_TOOLS
from .speech import READ, READ_SEED, SYMBOLS, held_out_recordings, transcribe
from .speech_codec import TEST_SEED
