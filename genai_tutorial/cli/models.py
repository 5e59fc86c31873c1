"""The commands `train`, `sample` and `ask`, with the files that they write and read."""

import math
import os
from pathlib import Path

import numpy as np
import torch
import typer
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from genai_tutorial import recipes
from genai_tutorial.runtime import (
    choose_device,
    mp3_is_available,
    write_atomically,
    write_sound,
)
from genai_tutorial.tasks.scene_questions import spaced_question
from genai_tutorial.tasks.shapes import IMAGE_SIZE, read_scenes

from .chat import note, working
from .known_words import check_words
from .model_table import MODELS
from .user_errors import NOT_POSSIBLE, WRONG_USE, UserError, user_errors

FRAME_MILLISECONDS = 160
"""The display time of a frame; the films are repeated endlessly."""

PAUSE_SECONDS = 0.5
"""The silence between two clips."""

WORST_FIT = 0.3
"""The largest misfit of a patch that resembles a shape; see `Reading`."""

COLUMNS, GAP = 10, 2
SHORTEST_SIDE = 84
"""Images are enlarged by a whole factor to at least this many pixels."""

DEFAULT_COUNTS = {"text": 1, "images": 40, "films": 10, "sounds": 1}
"""The number of samples of each kind; a prompt gives one."""


def train_model(
    name: str, steps: int | None, resume: bool, device: str | None, folder: Path | None
) -> None:
    """Train a model from its recipe, and print where it was saved and how to try it."""
    with user_errors(ValueError, exit_code=WRONG_USE):
        choose_device(device)
    folder = recipes.trained_folder() if folder is None else folder
    folder.mkdir(parents=True, exist_ok=True)  # fail now, not at the first checkpoint
    run, model = (folder / f"{name}{end}.safetensors" for end in (".run", ""))
    if run.exists() and not resume and not _is_newer(model, run):
        raise UserError(
            f"{run} holds an interrupted run: add --resume to continue it, or delete "
            "the file to start again.",
            WRONG_USE,
        )
    try:
        with user_errors(ValueError, exit_code=NOT_POSSIBLE):
            path = recipes.train(
                name, steps=steps, resume=resume, device=device, folder=folder
            )
    except KeyboardInterrupt:
        note("Stopped. With --resume, the same command continues from the checkpoint.")
        raise typer.Exit(130) from None
    # torchrun starts several processes; only one of them prints
    if os.environ.get("RANK", "0") == "0":
        recipe = recipes.recipe(name)
        print(f"The model is {path}, with its card beside it.")
        metrics = recipes.card(name, path.parent)["metrics"]
        print(f"Measured: {recipe.summary(metrics)}.")
        if recipe.makes is not None:
            print(f'Try it: genai-tutorial sample {name} --folder "{path.parent}"')


def _is_newer(path: Path, other: Path) -> bool:
    return path.exists() and path.stat().st_mtime >= other.stat().st_mtime


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
    with user_errors(ValueError, exit_code=NOT_POSSIBLE), working(f"loading {name}"):
        loaded = recipes.load(name, folder)
    if words := recipe.known_words(loaded):
        check_words(name, options.prompt or "", words, recipe.known_names())
    # invalid prompts and numbers, or an extra that is missing
    with user_errors(ValueError, ImportError, exit_code=WRONG_USE):
        if count is None:
            has_prompt = getattr(options, "prompt", None) is not None
            count = 1 if has_prompt else DEFAULT_COUNTS[recipe.makes]
        if out is not None and not out.parent.exists():
            note(f"The folder {out.parent} is created.")
        with working(f"sampling {name}"):
            samples = recipes.sample(recipe, loaded, options, count, seed)
        match samples:
            case recipes.TextSamples(texts):
                print("\n".join(texts))
                note(f"{name}: {MODELS[name].purpose}.")
                return
            case recipes.FilmSamples(films):
                path = out or Path(f"{name}.gif")
                write_film(films, path)
            case recipes.SoundSamples(waves, rate):
                path = out or Path(f"{name}{'.mp3' if mp3_is_available() else '.wav'}")
                write_clips(waves, rate, path)
            case recipes.ImageSamples(images):
                path = out or Path(f"{name}.png")
                write_grid(images, path)
        noun = "clips" if recipe.makes == "films" else recipe.makes
        print(f"The {noun} are in {path}.")


def grid(images: Float[Tensor, "count *channels height width"]) -> Image.Image:
    """Lay out images in rows of ten from the top left, with enlarged pixels and a grey
    border around each, except around a single one.

    >>> grid(torch.zeros(12, 28, 28)).size
    (862, 174)
    """
    pixels = images.detach().cpu().clamp(0, 1).mul(255).round().byte()
    pixels = pixels[:, None].expand(-1, 3, -1, -1) if pixels.ndim == 3 else pixels
    count, _, height, width = pixels.shape
    scale = math.ceil(SHORTEST_SIDE / min(height, width))
    columns, rows = min(count, COLUMNS), math.ceil(count / COLUMNS)
    gap = GAP if count > 1 else 0
    across, down = scale * width + gap, scale * height + gap
    page = Image.new("RGB", (columns * across + gap, rows * down + gap), "silver")
    for number, image in enumerate(pixels):
        tile = Image.fromarray(image.permute(1, 2, 0).contiguous().numpy())
        row, column = divmod(number, COLUMNS)
        size = (scale * width, scale * height)
        page.paste(
            tile.resize(size, Image.Resampling.NEAREST),
            (gap + column * across, gap + row * down),
        )
    return page


def write_grid(
    images: Float[Tensor, "count *channels height width"], path: Path
) -> None:
    with write_atomically(path) as file:
        grid(images).save(file, "PNG", optimize=True)


def write_film(films: Float[Tensor, "count frame 3 height width"], path: Path) -> None:
    first, *others = (grid(frame) for frame in films.unbind(dim=1))
    is_webp = path.suffix.lower() == ".webp"
    kind, settings = (
        ("WEBP", {"lossless": True}) if is_webp else ("GIF", {"optimize": True})
    )
    settings |= {"duration": FRAME_MILLISECONDS, "loop": 0}
    with write_atomically(path) as file:
        first.save(file, kind, save_all=True, append_images=others, **settings)


def write_clips(clips: Float[Tensor, "count sample"], rate: int, path: Path) -> None:
    """Write clips to one file atomically, with pauses between them."""
    pause = torch.zeros(len(clips), round(PAUSE_SECONDS * rate))
    together = torch.cat([clips, pause], dim=1).flatten()
    write_sound(together[: len(together) - pause.shape[1]], rate, path)


def ask_about(picture: Image.Image, question: str, folder: Path | None) -> None:
    """Print the answer of `shapes-vlm` to a question about a square picture."""
    with (
        user_errors(ValueError, exit_code=NOT_POSSIBLE),
        working("loading shapes-vlm"),
    ):
        reader = recipes.load("shapes-vlm", folder)
    pixels = small_pixels(picture)
    with (
        user_errors(ValueError, exit_code=WRONG_USE),  # words it does not know
        working("looking"),
        torch.no_grad(),
    ):
        squares = reader.model.look(pixels[None])
        answer = reader.answer(squares, [spaced_question(question)])[0]
    print(answer)


def small_pixels(picture: Image.Image) -> Float[Tensor, "3 32 32"]:
    """Return a square picture as the model saw them in training, and say so if nothing
    on it looks like the shapes of its world.
    """
    if picture.width != IMAGE_SIZE:
        note(f"The picture is resized from {picture.width} to {IMAGE_SIZE} pixels.")
        picture = picture.resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BOX)
    pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1) / 255
    if min(read_scenes(pixels[None])[0].misfits, default=1.0) > WORST_FIT:
        note(
            "The model knows circles, squares, triangles and crosses on white, and "
            "nothing on this picture looks like one."
        )
    return pixels
