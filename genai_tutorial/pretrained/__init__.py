"""Pretrained: the book's own trained models with the recipes that made them, and one real chat model, SmolLM2.

`load` and `card` read a model of ours and what is known about it, `train` makes it again, `sample_text` lets it write.
`load_smollm2` reads SmolLM2-135M-Instruct into the same decoder.
"""

from genai_tutorial.pretrained.checkpoints import card, load
from genai_tutorial.pretrained.machine import describe_machine
from genai_tutorial.pretrained.recipes import RECIPES, Recipe, names, recipe
from genai_tutorial.pretrained.run_recipe import held_out_loss, language_model_loss, train, trained_folder
from genai_tutorial.pretrained.sample import sample_text
from genai_tutorial.pretrained.smollm2 import find_smollm2, load_smollm2, load_smollm2_tokenizer

__all__ = [
    "RECIPES",
    "Recipe",
    "card",
    "describe_machine",
    "find_smollm2",
    "held_out_loss",
    "language_model_loss",
    "load",
    "load_smollm2",
    "load_smollm2_tokenizer",
    "names",
    "recipe",
    "sample_text",
    "train",
    "trained_folder",
]
