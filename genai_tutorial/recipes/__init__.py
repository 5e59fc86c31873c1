"""Recipes for all of the book's models. `load` and `card` read a published model,
`train` retrains it, and `sample_text` and `sample_images` use it.
"""

from genai_tutorial.recipes.catalogue import RECIPES, card, load, names, recipe
from genai_tutorial.recipes.factbook.base import (
    FACTBOOK_BASE,
    packed_language_model_loss,
)
from genai_tutorial.recipes.factbook.draft import FACTBOOK_DRAFT, DraftRecipe
from genai_tutorial.recipes.factbook.draft_rows import (
    agreement,
    corpus_rows,
    distillation_loss,
    held_out_rows,
    packed_logits,
    prompts_of,
    teacher_targets,
)
from genai_tutorial.recipes.factbook.ppo import FACTBOOK_PPO
from genai_tutorial.recipes.factbook.sft import FACTBOOK_SFT
from genai_tutorial.recipes.files import load_recipe
from genai_tutorial.recipes.mnist.classifier import DigitClassifierRecipe
from genai_tutorial.recipes.mnist.families import (
    DIGIT_FAMILIES,
    FamilyRun,
    family_record,
)
from genai_tutorial.recipes.mnist.family_recipe import PPCA_COMPONENTS
from genai_tutorial.recipes.mnist.measure import measure_digits
from genai_tutorial.recipes.options import (
    CaptionOptions,
    GuidedCaption,
    TextOptions,
    parse_options,
    set_options,
)
from genai_tutorial.recipes.paddle_world import PADDLE_WORLD
from genai_tutorial.recipes.recipe import Recipe, RunSettings, Trained
from genai_tutorial.recipes.sample import (
    draw_films,
    draw_images,
    make_sounds,
    sample_images,
    sample_text,
)
from genai_tutorial.recipes.shakespeare import (
    LanguageRecipe,
    held_out_loss,
    language_model_loss,
)
from genai_tutorial.recipes.shapes.diffusion import SCHEDULE as SHAPES_SCHEDULE
from genai_tutorial.recipes.shapes.diffusion import draw_scenes
from genai_tutorial.recipes.shapes.latent_video import LatentVideo
from genai_tutorial.recipes.shapes.video import SHAPES_VIDEO
from genai_tutorial.recipes.spot_check import SpotCheck
from genai_tutorial.recipes.training import train, trained_folder

__all__ = [
    "DIGIT_FAMILIES",
    "FACTBOOK_BASE",
    "FACTBOOK_DRAFT",
    "FACTBOOK_PPO",
    "FACTBOOK_SFT",
    "PADDLE_WORLD",
    "PPCA_COMPONENTS",
    "RECIPES",
    "SHAPES_SCHEDULE",
    "SHAPES_VIDEO",
    "CaptionOptions",
    "DigitClassifierRecipe",
    "DraftRecipe",
    "FamilyRun",
    "GuidedCaption",
    "LanguageRecipe",
    "LatentVideo",
    "Recipe",
    "RunSettings",
    "SpotCheck",
    "TextOptions",
    "Trained",
    "agreement",
    "card",
    "corpus_rows",
    "distillation_loss",
    "draw_films",
    "draw_images",
    "draw_scenes",
    "family_record",
    "held_out_loss",
    "held_out_rows",
    "language_model_loss",
    "load",
    "load_recipe",
    "make_sounds",
    "measure_digits",
    "names",
    "packed_language_model_loss",
    "packed_logits",
    "parse_options",
    "prompts_of",
    "recipe",
    "sample_images",
    "sample_text",
    "set_options",
    "teacher_targets",
    "train",
    "trained_folder",
]
