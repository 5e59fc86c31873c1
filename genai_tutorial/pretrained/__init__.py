"""Pretrained: the book's own trained models, their cards, and the recipes that made them.

`load` and `card` read a model and what is known about it, `train` makes it again, `sample_text` lets it write.
"""

from genai_tutorial.pretrained.checkpoints import card, load
from genai_tutorial.pretrained.machine import describe_machine
from genai_tutorial.pretrained.recipes import RECIPES, Recipe, names, recipe
from genai_tutorial.pretrained.run_recipe import held_out_loss, language_model_loss, train, trained_folder
from genai_tutorial.pretrained.sample import sample_text

__all__ = [
    "RECIPES",
    "Recipe",
    "card",
    "describe_machine",
    "held_out_loss",
    "language_model_loss",
    "load",
    "names",
    "recipe",
    "sample_text",
    "train",
    "trained_folder",
]
