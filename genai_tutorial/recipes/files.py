"""From a recipe to the trained model that it made: knows no other recipe."""

from pathlib import Path
from typing import Any

from torch import nn

from genai_tutorial.pretrained.files import read_card, read_weights, rounded_weights
from genai_tutorial.recipes.recipe import Recipe


def load_recipe(recipe: Recipe, folder: Path | str | None = None) -> Any:
    """Load the model that a recipe made, ready to use on the CPU.

    Args:
        recipe: The recipe.
        folder: Where `train` wrote the model; None for the models that come with the
            package.

    Returns:
        What the recipe's `ready` makes of the model; a language model comes as a pair
        with its tokenizer.

    Raises:
        ValueError: If the file is not the one that its card describes.
        FileNotFoundError: If the model has not been trained there.
    """
    card = read_card(recipe.name, folder)
    model = build(recipe, card)
    model.load_state_dict(read_weights(card, folder))
    return recipe.ready(model.eval(), card)


def build(recipe: Recipe, card: dict) -> nn.Module:
    """Return the model that a card describes, without its weights."""
    return recipe.build(card | {"recipe": _with_tuples(card["recipe"])})


def build_rounded(recipe: Recipe, card: dict, trained: nn.Module) -> nn.Module:
    """Return a trained model as its file will hold it."""
    model = build(recipe, card)
    model.load_state_dict(rounded_weights(trained))
    return model.eval()


def _with_tuples(value: Any) -> Any:
    """JSON has lists where a recipe has tuples."""
    if isinstance(value, dict):
        return {key: _with_tuples(item) for key, item in value.items()}
    return tuple(map(_with_tuples, value)) if isinstance(value, list) else value
