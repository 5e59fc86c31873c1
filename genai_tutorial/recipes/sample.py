"""Sampling from a trained model: text, images, films or sounds."""

from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from .catalogue import recipe
from .files import load_recipe
from .options import set_options
from .recipe import Recipe


def sample_text(
    name: str,
    *,
    seed: int = 0,
    folder: Path | str | None = None,
    **options: str | float | int | None,
) -> str:
    """Return a text sampled from a trained model."""
    chosen = recipe(name)
    if chosen.makes != "text":
        raise ValueError(f"{name} writes no text: {chosen.description()}.")
    given = set_options(chosen, options)
    return chosen.write(load_recipe(chosen, folder), given, seed)


def sample_images(
    name: str,
    count: int = 16,
    *,
    seed: int = 0,
    folder: Path | str | None = None,
    **options: str | float | int | None,
) -> Float[Tensor, "count *channels height width"]:
    """Return images sampled from a trained model.

    Args:
        seed: Seed of the random draws.
        folder: The folder that `train` wrote the model to; None for the models that
            come with the package.
        options: The model's own, such as `prompt="a red circle"`, `digit=7`, `steps=50`
            or `guidance=2.0`; options that are not given have its defaults.

    Returns:
        Brightness from 0 to 1; grey images have no dimension for channels, coloured
        ones have three.

    Raises:
        ValueError: If there is no such recipe, its model does not draw, or an option is
            unknown, has the wrong type or is out of range.
        FileNotFoundError: If the model has not been trained there.
    """
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}.")
    chosen = recipe(name)
    if chosen.makes != "images":
        raise ValueError(f"{name} draws no images: {chosen.description()}.")
    given = set_options(chosen, options)
    return draw_images(chosen, load_recipe(chosen, folder), given, count, seed)


@torch.no_grad()
def draw_images(
    chosen: Recipe, loaded: Any, options: Any, count: int, seed: int
) -> Float[Tensor, "count *channels height width"]:
    """Return images, sampled from the result of `load`.

    Raises:
        ValueError: If an option is out of range, or the images are not finite.
    """
    return _finite(chosen.draw(loaded, options, count, seed), options, "images")


@torch.no_grad()
def draw_films(
    chosen: Recipe, loaded: Any, options: Any, count: int, seed: int
) -> Float[Tensor, "count frame 3 height width"]:
    """Return films, sampled from the result of `load`.

    Raises:
        ValueError: If an option is out of range, or the films are not finite.
    """
    return _finite(chosen.film(loaded, options, count, seed), options, "films")


@torch.no_grad()
def make_sounds(
    chosen: Recipe, loaded: Any, options: Any, count: int, seed: int
) -> Float[Tensor, "count sample"]:
    """Return sounds, sampled from the result of `load`.

    Raises:
        ValueError: If an option is out of range, or the sounds are not finite.
    """
    return _finite(chosen.sound(loaded, options, count, seed), options, "sounds")


def _finite(samples: Tensor, options: Any, noun: str) -> Tensor:
    if not samples.isfinite().all():
        raise ValueError(
            f"With {options} the {noun} are not finite: ask for something less extreme."
        )
    return samples
