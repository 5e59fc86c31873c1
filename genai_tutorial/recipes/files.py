"""Loading the trained model of a recipe."""

from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

from torch import nn

from genai_tutorial.pretrained import (
    read_card,
    read_tokenizer,
    read_weights,
    rounded_weights,
)

from .recipe import Recipe


def load_recipe(recipe: Recipe, folder: Path | str | None = None) -> Any:
    """Load the trained model of a recipe, ready to use on the CPU.

    Args:
        folder: The folder that `train` wrote the model to; None for the models that
            come with the package.

    Returns:
        The result of the recipe's `wrap`: the model; a language model comes as a pair
        with its tokenizer.

    Raises:
        ValueError: If the file is not the one that its card describes.
        FileNotFoundError: If the model has not been trained there, or the file of its
            tokenizer is missing.
    """
    card = read_card(recipe.name, folder)
    model = build(recipe, card)
    model.load_state_dict(read_weights(card, folder))
    return recipe.wrap(model.eval(), card | {"tokenizer": read_tokenizer(card, folder)})


def build(recipe: Recipe, card: dict) -> nn.Module:
    """Return the model that a card describes, without its weights."""
    return _restored(recipe, card["recipe"]).build()


def build_rounded(recipe: Recipe, card: dict, trained: nn.Module) -> nn.Module:
    """Return a trained model with its weights rounded as in its file."""
    model = build(recipe, card)
    model.load_state_dict(rounded_weights(trained))
    return model.eval()


def _restored(settings: Any, saved: Any) -> Any:
    """Return settings of the same classes with values from JSON, where tuples have
    become lists and dataclasses dictionaries.
    """
    if is_dataclass(settings):
        return type(settings)(
            **{
                name: _restored(getattr(settings, name), value)
                for name, value in saved.items()
            }
        )
    return tuple(saved) if isinstance(saved, list) else saved
