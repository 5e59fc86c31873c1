"""Letting a trained model write or draw."""

from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.recipes.catalogue import recipe
from genai_tutorial.recipes.files import load_recipe
from genai_tutorial.recipes.recipe import DrawsImages, Recipe, Wishes, WritesText


def sample_text(
    name: str,
    prompt: str = "\n",
    characters: int = 300,
    *,
    temperature: float | int = 0.8,
    top_p: float | int | None = None,
    seed: int = 0,
    folder: Path | str | None = None,
) -> str:
    """Return the prompt, continued by a trained model.

    Args:
        name: The name of a recipe.
        prompt: How the text starts; at least one character.
        characters: How many to add.
        temperature: Below 1 the model plays safe, above it takes risks; 0 always takes
            the likeliest character.
        top_p: Keep only the likeliest characters that together have this probability;
            None keeps all.
        seed: The same seed gives the same text.
        folder: Where `train` wrote the model; None for the models that come with the
            package.

    Raises:
        ValueError: If there is no such recipe, its model does not write, the prompt is
            empty or has unknown characters, or a number is out of range.
        FileNotFoundError: If the model has not been trained there.

    >>> sample_text("shakespeare", "To be, or not to b", characters=1, temperature=0)
    'To be, or not to be'
    """
    wishes = Wishes(
        prompt=prompt, tokens=characters, temperature=temperature, top_p=top_p
    )
    chosen = recipe(name)
    if not isinstance(chosen, WritesText):
        raise ValueError(f"{name} writes no text: {_describe(chosen)}.")
    return chosen.write(load_recipe(chosen, folder), wishes, seed)


def sample_images(
    name: str,
    count: int = 16,
    *,
    prompt: str | None = None,
    steps: int | None = None,
    guidance: float | int | None = None,
    digit: int | None = None,
    seed: int = 0,
    folder: Path | str | None = None,
) -> Float[Tensor, "count *channels height width"]:
    """Return images by a trained model.

    Args:
        name: The name of a recipe.
        count: How many images.
        prompt: What the images should show, where the model reads.
        steps: How many steps each image takes, where it takes several.
        guidance: How strongly the images are pulled towards the prompt or the digit.
        digit: Which digit to draw; None for all of them in turn.
        seed: The same seed gives the same images.
        folder: Where `train` wrote the model; None for the models that come with the
            package.

    Returns:
        Brightness from 0 to 1; grey images have no dimension for channels, coloured
        ones have three.

    Raises:
        ValueError: If there is no such recipe, its model does not draw or does not take
            a wish, or a number is out of range.
        FileNotFoundError: If the model has not been trained there.
    """
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}.")
    wishes = Wishes(
        prompt=prompt, count=count, steps=steps, guidance=guidance, digit=digit
    )
    chosen = recipe(name)
    if not isinstance(chosen, DrawsImages):
        raise ValueError(f"{name} draws no images: {_describe(chosen)}.")
    check_wishes(chosen, wishes)
    return draw_images(chosen, load_recipe(chosen, folder), wishes, count, seed)


@torch.no_grad()
def draw_images(
    chosen: DrawsImages, loaded: Any, wishes: Wishes, count: int, seed: int
) -> Float[Tensor, "count *channels height width"]:
    """Return images by what `load` handed out.

    Raises:
        ValueError: If a wish is out of range, or what it leads to is no image any more.
    """
    images = chosen.draw(loaded, wishes, count, seed)
    if not images.isfinite().all():
        raise ValueError(
            f"With {wishes} the images are not finite: ask for something less extreme."
        )
    return images


def check_wishes(chosen: Recipe, wishes: Wishes) -> None:
    """Check that a recipe's model can be sampled and understands all wishes.

    Raises:
        ValueError: If it makes nothing, or does not take one of the wishes.

    >>> check_wishes(recipe("shakespeare"), Wishes(prompt="JULIET:", guidance=2.0))
    Traceback (most recent call last):
    ...
    ValueError: shakespeare has no option guidance; its options are prompt, temperature, top-p, tokens.
    """  # noqa: E501
    if isinstance(chosen, DrawsImages):
        takes = ("count", *chosen.takes)
    elif isinstance(chosen, WritesText):
        takes = chosen.takes
    else:
        raise ValueError(
            f"{chosen.name} makes nothing that could be sampled: {_describe(chosen)}."
        )
    for wish in wishes.named():
        if wish not in takes:
            options = ", ".join(takes).replace("_", "-")
            raise ValueError(
                f"{chosen.name} has no option {wish.replace('_', '-')}; its options "
                f"are {options}."
            )


def _describe(chosen: Recipe) -> str:
    return f"it is {chosen.title[0].lower()}{chosen.title[1:]}"
