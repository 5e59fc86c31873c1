"""The commands `train` and `sample`: the book's models, made and heard."""

import os
import sys
from pathlib import Path

import typer

from genai_tutorial import pretrained
from genai_tutorial.cli.mistakes import NOT_POSSIBLE, WRONG_USE, mistakes
from genai_tutorial.training import choose_device


def train_model(name: str, steps: int | None, resume: bool, device: str | None, folder: Path | None) -> None:
    """Train by the recipe, and say where the model is and how to hear it."""
    with mistakes(ValueError, exit_code=WRONG_USE):
        pretrained.recipe(name)
        choose_device(device)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)  # better now than at the first checkpoint
    try:
        with mistakes(ValueError, exit_code=NOT_POSSIBLE):
            path = pretrained.train(name, steps=steps, resume=resume, device=device, folder=folder)
    except KeyboardInterrupt:
        print("Stopped. The same command with --resume goes on from the last checkpoint.", file=sys.stderr)
        raise typer.Exit(130) from None
    if os.environ.get("RANK", "0") == "0":  # torchrun starts several of this, and one is enough to tell
        recipe = pretrained.recipe(name)
        print(f"The model is {path}, with its card beside it.")
        print(f"Measured: {recipe.headline(pretrained.card(name, path.parent)['metrics'])}.")
        if isinstance(recipe, pretrained.WritesText | pretrained.DrawsImages):
            print(f'Try it: genai-tutorial sample {name} --folder "{path.parent}"')


def sample_text(
    name: str, prompt: str, temperature: float, top_p: float | None, tokens: int, seed: int, folder: Path | None
) -> None:
    """Print the prompt and what the model makes of it."""
    with mistakes(ValueError, exit_code=WRONG_USE):
        pretrained.recipe(name)
    with mistakes(ValueError, exit_code=NOT_POSSIBLE):
        pretrained.load(name, folder)
    with mistakes(ValueError, exit_code=WRONG_USE):  # the prompt and the numbers
        text = pretrained.sample_text(
            name, prompt, tokens, temperature=temperature, top_p=top_p, seed=seed, folder=folder
        )
    print(text)
