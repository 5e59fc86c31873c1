"""Recipes: how each of the book's models is made. `load` and `card` read a published
model, `train` makes it again, and `sample_text` and `sample_images` use it.
"""

from genai_tutorial.recipes.catalogue import RECIPES, card, load, names, recipe
from genai_tutorial.recipes.files import load_recipe
from genai_tutorial.recipes.mnist.classifier import DigitClassifierRecipe
from genai_tutorial.recipes.recipe import (
    DrawsImages,
    Recipe,
    RunSettings,
    Trained,
    Wishes,
    WritesText,
)
from genai_tutorial.recipes.sample import (
    check_wishes,
    draw_images,
    sample_images,
    sample_text,
)
from genai_tutorial.recipes.shakespeare import (
    LanguageRecipe,
    held_out_loss,
    language_model_loss,
)
from genai_tutorial.recipes.training import train, trained_folder

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
    "draw_images",
    "held_out_loss",
    "language_model_loss",
    "load",
    "load_recipe",
    "names",
    "recipe",
    "sample_images",
    "sample_text",
    "train",
    "trained_folder",
]
