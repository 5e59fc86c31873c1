"""The commands `train` and `sample`: the book's models, made and tried."""

import os
import sys
from pathlib import Path

import typer

from genai_tutorial import recipes
from genai_tutorial.cli.pictures import write_grid
from genai_tutorial.cli.user_errors import NOT_POSSIBLE, WRONG_USE, mistakes
from genai_tutorial.runtime import choose_device

DEFAULT_COUNT = 40
"""How many images `sample` draws if nothing else is wished: four rows."""


def train_model(
    name: str, steps: int | None, resume: bool, device: str | None, folder: Path | None
) -> None:
    """Train by the recipe, and say where the model is and how to try it."""
    with mistakes(ValueError, exit_code=WRONG_USE):
        recipes.recipe(name)
        choose_device(device)
    if folder is not None:
        folder.mkdir(
            parents=True, exist_ok=True
        )  # better now than at the first checkpoint
    try:
        with mistakes(ValueError, exit_code=NOT_POSSIBLE):
            path = recipes.train(
                name, steps=steps, resume=resume, device=device, folder=folder
            )
    except KeyboardInterrupt:
        print(
            "Stopped. The same command with --resume goes on from the last checkpoint.",
            file=sys.stderr,
        )
        raise typer.Exit(130) from None
    if (
        os.environ.get("RANK", "0") == "0"
    ):  # torchrun starts several of this, and one is enough to tell
        recipe = recipes.recipe(name)
        print(f"The model is {path}, with its card beside it.")
        print(
            f"Measured: {recipe.headline(recipes.card(name, path.parent)['metrics'])}."
        )
        if isinstance(recipe, recipes.WritesText | recipes.DrawsImages):
            print(f'Try it: genai-tutorial sample {name} --folder "{path.parent}"')


def sample_model(
    name: str,
    wishes: recipes.Wishes,
    seed: int,
    folder: Path | None,
    out: Path | None,
) -> None:
    """Print what the model writes, or put what it draws into a file."""
    with mistakes(ValueError, exit_code=WRONG_USE):
        recipe = recipes.recipe(name)
        recipes.check_wishes(recipe, wishes)
        if isinstance(recipe, recipes.WritesText) and out is not None:
            raise ValueError(
                f"{name} writes text, so it has no option out; redirect its output to "
                "keep it."
            )
        if out is not None and out.suffix.lower() != ".png":
            raise ValueError(
                "The images are written as PNG: --out must end in .png, got "
                f"{out.name}."
            )
    with mistakes(ValueError, exit_code=NOT_POSSIBLE):
        loaded = recipes.load(name, folder)
    with mistakes(ValueError, exit_code=WRONG_USE):  # the prompt and the numbers
        if isinstance(recipe, recipes.WritesText):
            print(recipe.write(loaded, wishes, seed))
        else:
            count = DEFAULT_COUNT if wishes.count is None else wishes.count
            images = recipes.draw_images(recipe, loaded, wishes, count, seed)
            path = Path(f"{name}.png") if out is None else out
            write_grid(images, path)
            print(f"The images are in {path}.")
