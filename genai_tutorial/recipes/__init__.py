"""Recipes for all of the book's models. `load` and `card` read a published model,
`train` retrains it, and `sample_text` and `sample_images` use it.
"""

from .arithmetic_reasoner import ARITHMETIC_REASONER
from .caption_voice import READ, READ_SEED, SYMBOLS
from .catalogue import card, load, names, recipe
from .factbook.base import FACTBOOK_BASE, packed_language_model_loss
from .factbook.corpus import Corpus, load_corpus, write_corpus
from .factbook.draft import FACTBOOK_DRAFT
from .factbook.draft_rows import (
    agreement,
    corpus_rows,
    held_out_rows,
    packed_logits,
    teacher_targets,
)
from .files import build_rounded, load_recipe
from .mnist.families import DIGIT_FAMILIES, FamilyRecord, FamilyRun, family_record
from .mnist.family_recipe import PPCA_COMPONENTS, FamilyRecipe, Levels
from .mnist.measure import N_EVAL_IMAGES, measure_digits
from .molecules_3d import held_out_molecule_loss
from .options import parse_options
from .recipe import Recipe, RunSettings, Trained
from .sample import draw_films, draw_images, make_sounds, sample_images
from .shakespeare import held_out_loss
from .shapes.clip import SHAPES_CLIP
from .shapes.diffusion import draw_scenes
from .shapes.latent_video import LatentVideo
from .shapes.vision_language import SHAPES_VLM
from .smollm2_tools import SMOLLM2_TOOLS
from .speech_codec import TEST_SEED
from .spoken_captions import held_out_recordings, transcribe
from .spot_check import SpotCheck
from .training import train, trained_folder
