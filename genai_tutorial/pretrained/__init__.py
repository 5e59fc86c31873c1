"""Pretrained: the book's own trained models with the recipes that made them, and one
real chat model, SmolLM2.

`load` and `card` read a model of ours and what is known about it, `train` makes it
again, `sample_text` lets it write and `sample_images` draw; `record` reads what a
script of `benchmarks/` has measured. `load_smollm2` reads SmolLM2-135M-Instruct into
the book's own decoder.
"""

from genai_tutorial.pretrained.checkpoints import card, load
from genai_tutorial.pretrained.digit_classifier import DigitClassifierRecipe
from genai_tutorial.pretrained.language import (
    LanguageRecipe,
    held_out_loss,
    language_model_loss,
)
from genai_tutorial.pretrained.machine import describe_machine
from genai_tutorial.pretrained.recipe import (
    DrawsImages,
    Recipe,
    RunSettings,
    Trained,
    Wishes,
    WritesText,
)
from genai_tutorial.pretrained.recipes import RECIPES, names, recipe
from genai_tutorial.pretrained.records import record
from genai_tutorial.pretrained.run_recipe import train, trained_folder
from genai_tutorial.pretrained.sample import (
    check_wishes,
    draw_images,
    sample_images,
    sample_text,
)
from genai_tutorial.pretrained.smollm2 import (
    find_smollm2,
    load_smollm2,
    load_smollm2_tokenizer,
)

__all__ = [
    "RECIPES",
    "DigitClassifierRecipe",
    "DrawsImages",
    "LanguageRecipe",
    "Recipe",
    "RunSettings",
    "Trained",
    "Wishes",
    "WritesText",
    "card",
    "check_wishes",
    "describe_machine",
    "draw_images",
    "find_smollm2",
    "held_out_loss",
    "language_model_loss",
    "load",
    "load_smollm2",
    "load_smollm2_tokenizer",
    "names",
    "recipe",
    "record",
    "sample_images",
    "sample_text",
    "train",
    "trained_folder",
]
