"""The commands `train` and `sample`."""

import os
import sys
from pathlib import Path

import typer

from genai_tutorial import recipes
from genai_tutorial.cli.films import FILM_FORMATS, write_film
from genai_tutorial.cli.pictures import write_grid
from genai_tutorial.cli.sounds import write_clips
from genai_tutorial.cli.user_errors import NOT_POSSIBLE, WRONG_USE, user_errors
from genai_tutorial.runtime import SOUND_FORMATS, choose_device, mp3_is_available

DEFAULT_COUNTS = {"text": 1, "images": 40, "films": 10, "sounds": 1}
"""The number of samples of each kind by default: four rows of images, ten clips side by
side in one film, or one sound.
"""

NOUNS = {"images": "images", "films": "clips", "sounds": "sounds"}
"""What a user calls the samples of each kind."""

ENDINGS = {"images": (".png",), "films": FILM_FORMATS, "sounds": SOUND_FORMATS}
"""The endings of the files that they are written to."""


def train_model(
    name: str, steps: int | None, resume: bool, device: str | None, folder: Path | None
) -> None:
    """Train a model from its recipe, and print where it was saved and how to try it."""
    with user_errors(ValueError, exit_code=WRONG_USE):
        recipes.recipe(name)
        choose_device(device)
    if folder is not None:
        # fail now rather than at the first checkpoint
        folder.mkdir(parents=True, exist_ok=True)
    try:
        with user_errors(ValueError, exit_code=NOT_POSSIBLE):
            path = recipes.train(
                name, steps=steps, resume=resume, device=device, folder=folder
            )
    except KeyboardInterrupt:
        print(
            "Stopped. The same command with --resume continues from the last "
            "checkpoint.",
            file=sys.stderr,
        )
        raise typer.Exit(130) from None
        # torchrun starts several processes; only one of them prints
    if os.environ.get("RANK", "0") == "0":
        recipe = recipes.recipe(name)
        print(f"The model is {path}, with its card beside it.")
        print(
            f"Measured: {recipe.summary(recipes.card(name, path.parent)['metrics'])}."
        )
        if recipe.makes is not None:
            print(f'Try it: genai-tutorial sample {name} --folder "{path.parent}"')


def sample_model(
    name: str,
    assignments: list[str],
    count: int | None,
    seed: int,
    folder: Path | None,
    out: Path | None,
) -> None:
    """Print the text that the model generates, or write its images, clips or sounds to
    a file.
    """
    with user_errors(ValueError, exit_code=WRONG_USE):
        recipe = recipes.recipe(name)
        options = recipes.parse_options(recipe, assignments)
        if recipe.makes == "text":
            _refuse_options_of_files(name, count, out)
        else:
            _check_ending(recipe.makes, out)
    with user_errors(ValueError, exit_code=NOT_POSSIBLE):
        loaded = recipes.load(name, folder)
    # invalid prompts and numbers, or an extra that is missing
    with user_errors(ValueError, ImportError, exit_code=WRONG_USE):
        count = DEFAULT_COUNTS[recipe.makes] if count is None else count
        match recipes.sample(recipe, loaded, options, count, seed):
            case recipes.Texts(texts):
                print("\n".join(texts))
                return
            case recipes.Films(films):
                path = out or Path(f"{name}.gif")
                write_film(films, path)
            case recipes.Sounds(waves, rate):
                path = out or Path(f"{name}{'.mp3' if mp3_is_available() else '.wav'}")
                write_clips(waves, rate, path)
            case recipes.Images(images):
                path = out or Path(f"{name}.png")
                write_grid(images, path)
        print(f"The {NOUNS[recipe.makes]} are in {path}.")


def _refuse_options_of_files(name: str, count: int | None, out: Path | None) -> None:
    for option, value in (("--count", count), ("--out", out)):
        if value is not None:
            raise ValueError(
                f"{name} writes text, so it has no option {option}; redirect its "
                "output to keep it."
            )


def _check_ending(kind: str | None, out: Path | None) -> None:
    if kind is None or out is None:
        return
    endings = ENDINGS[kind]
    if out.suffix.lower() not in endings:
        raise ValueError(
            f"The {NOUNS[kind]} are written to a file: --out must end in "
            f"{' or '.join(endings)}, got {out.name}."
        )
