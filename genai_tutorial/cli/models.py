"""The commands `train` and `sample`."""

import os
import sys
from pathlib import Path

import typer

from genai_tutorial import recipes
from genai_tutorial.audio import SOUND_FORMATS, mp3_is_available
from genai_tutorial.cli.pictures import write_grid
from genai_tutorial.cli.sounds import write_clips
from genai_tutorial.cli.user_errors import NOT_POSSIBLE, WRONG_USE, user_errors
from genai_tutorial.runtime import choose_device

DEFAULT_COUNT = 40
"""The number of images that `sample` draws by default: four rows."""


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
    """Print the text that the model generates, or write its images or sounds to a
    file.
    """
    with user_errors(ValueError, exit_code=WRONG_USE):
        recipe = recipes.recipe(name)
        options = recipes.parse_options(recipe, assignments)
        if recipe.makes == "text":
            for option, value in (("--count", count), ("--out", out)):
                if value is not None:
                    raise ValueError(
                        f"{name} writes text, so it has no option {option}; redirect "
                        "its output to keep it."
                    )
        if recipe.makes == "sounds":
            if out is not None and out.suffix.lower() not in SOUND_FORMATS:
                raise ValueError(
                    f"Sounds are written as {' or '.join(SOUND_FORMATS)}: --out must "
                    f"end in one of them, got {out.name}."
                )
        elif out is not None and out.suffix.lower() != ".png":
            raise ValueError(
                "The images are written as PNG: --out must end in .png, got "
                f"{out.name}."
            )
    with user_errors(ValueError, exit_code=NOT_POSSIBLE):
        loaded = recipes.load(name, folder)
    # invalid prompts and numbers, or an extra that is missing
    with user_errors(ValueError, ImportError, exit_code=WRONG_USE):
        if recipe.makes == "text":
            print(recipe.write(loaded, options, seed))
            return
        if recipe.makes == "sounds":
            count = 1 if count is None else count
            clips = recipes.make_sounds(recipe, loaded, options, count, seed)
            ending = ".mp3" if mp3_is_available() else ".wav"
            path = Path(f"{name}{ending}") if out is None else out
            write_clips(clips, recipe.rate, path)
            print(f"The {'clip is' if count == 1 else 'clips are'} in {path}.")
            return
        count = DEFAULT_COUNT if count is None else count
        images = recipes.draw_images(recipe, loaded, options, count, seed)
        path = Path(f"{name}.png") if out is None else out
        write_grid(images, path)
        print(f"The images are in {path}.")
