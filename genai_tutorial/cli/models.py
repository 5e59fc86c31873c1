"""The commands `train`, `sample` and `ask`, and the files that they write and read."""

import math
import os
import sys
from pathlib import Path

import numpy as np
import torch
import typer
from jaxtyping import Float
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from genai_tutorial import recipes
from genai_tutorial.audio import SOUND_FORMATS, mp3_is_available, write_sound
from genai_tutorial.runtime import choose_device, write_atomically
from genai_tutorial.tasks.scene_questions import spaced_question
from genai_tutorial.tasks.shapes import IMAGE_SIZE

from .user_errors import NOT_POSSIBLE, WRONG_USE, user_errors

FILM_FORMATS = {".gif": "GIF", ".webp": "WEBP"}
"""The format of each file name extension."""

FRAME_MILLISECONDS = 160
"""The display time of a frame; the films are repeated endlessly."""

PAUSE_SECONDS = 0.5
"""The silence between two clips."""

COLUMNS, GAP = 10, 2
SHORTEST_SIDE = 84
"""Images are enlarged by a whole factor, so that their shorter side has at least this
many pixels.
"""

DEFAULT_COUNTS = {"images": 40, "films": 10, "sounds": 1}
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
        if recipe.makes == "text":
            print(recipe.write(loaded, options, seed))
            return
        count = DEFAULT_COUNTS[recipe.makes] if count is None else count
        if recipe.makes == "films":
            path = out or Path(f"{name}.gif")
            write_film(recipes.draw_films(recipe, loaded, options, count, seed), path)
        elif recipe.makes == "sounds":
            path = out or Path(f"{name}{'.mp3' if mp3_is_available() else '.wav'}")
            clips = recipes.make_sounds(recipe, loaded, options, count, seed)
            write_clips(clips, recipe.rate, path)
        else:
            path = out or Path(f"{name}.png")
            write_grid(recipes.draw_images(recipe, loaded, options, count, seed), path)
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


def grid(images: Float[Tensor, "count *channels height width"]) -> Image.Image:
    """Lay out images in rows of ten from the top left, with enlarged pixels.

    >>> grid(torch.zeros(12, 28, 28)).size
    (862, 174)
    """
    pixels = images.detach().cpu().clamp(0, 1).mul(255).round().byte()
    pixels = pixels[:, None].expand(-1, 3, -1, -1) if pixels.ndim == 3 else pixels
    count, _, height, width = pixels.shape
    scale = math.ceil(SHORTEST_SIDE / min(height, width))
    columns, rows = min(count, COLUMNS), math.ceil(count / COLUMNS)
    across, down = scale * width + GAP, scale * height + GAP
    page = Image.new("RGB", (columns * across + GAP, rows * down + GAP), "white")
    for number, image in enumerate(pixels):
        tile = Image.fromarray(image.permute(1, 2, 0).contiguous().numpy()).resize(
            (scale * width, scale * height), Image.Resampling.NEAREST
        )
        page.paste(
            tile, (GAP + number % COLUMNS * across, GAP + number // COLUMNS * down)
        )
    return page


def write_grid(
    images: Float[Tensor, "count *channels height width"], path: Path
) -> None:
    """Write a grid of images to a PNG file atomically."""
    with write_atomically(path) as file:
        grid(images).save(file, "PNG", optimize=True)


def write_film(films: Float[Tensor, "count frame 3 height width"], path: Path) -> None:
    """Write films to one animated file atomically, arranged in a grid."""
    kind = FILM_FORMATS.get(path.suffix.lower())
    if kind is None:
        raise ValueError(
            f"A film must end in {' or '.join(FILM_FORMATS)}, got {path.name}."
        )
    first, *others = (grid(frame) for frame in films.unbind(dim=1))
    settings = {"lossless": True} if kind == "WEBP" else {"optimize": True}
    with write_atomically(path) as file:
        first.save(
            file,
            kind,
            save_all=True,
            append_images=others,
            duration=FRAME_MILLISECONDS,
            loop=0,
            **settings,
        )


def write_clips(clips: Float[Tensor, "count sample"], rate: int, path: Path) -> None:
    """Write clips to one file atomically, with pauses between them."""
    pause = torch.zeros(len(clips), round(PAUSE_SECONDS * rate))
    together = torch.cat([clips, pause], dim=1).flatten()
    write_sound(together[: len(together) - pause.shape[1]], rate, path)


def ask_about(image: Path, question: str, folder: Path | None) -> None:
    """Print the answer of `shapes-vlm` to a question about a picture."""
    with user_errors(ValueError, exit_code=WRONG_USE):
        pixels = read_picture(image)
    with user_errors(ValueError, exit_code=NOT_POSSIBLE):
        reader = recipes.load("shapes-vlm", folder)
    with user_errors(ValueError, exit_code=WRONG_USE):  # words it does not know
        with torch.no_grad():
            squares = reader.model.look(pixels[None])
        print(reader.answer(squares, [spaced_question(question)])[0])


def read_picture(path: Path) -> Float[Tensor, "3 32 32"]:
    """Return a picture as the model saw them in training: red, green and blue from 0 to
    1, transparency on white, 32×32 pixels.
    """
    try:
        with Image.open(path) as file:
            picture = file.convert("RGBA")
    except UnidentifiedImageError as error:
        raise ValueError(f"{path.name} is not a picture that can be read.") from error
    if picture.width != picture.height:
        raise ValueError(
            f"The model reads square pictures, and {path.name} has "
            f"{picture.width}×{picture.height} pixels. Cut out a square first."
        )
    white = Image.new("RGBA", picture.size, "white")
    picture = Image.alpha_composite(white, picture).convert("RGB")
    if picture.width != IMAGE_SIZE:
        print(
            f"The picture is resized from {picture.width} to {IMAGE_SIZE} pixels.",
            file=sys.stderr,
        )
        picture = picture.resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BOX)
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1) / 255
