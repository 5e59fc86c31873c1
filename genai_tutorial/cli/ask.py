"""The command `ask`: a question about a picture."""

import sys
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from genai_tutorial.cli.user_errors import NOT_POSSIBLE, WRONG_USE, user_errors
from genai_tutorial.recipes import SHAPES_VLM, load_recipe
from genai_tutorial.tasks.scene_questions import spaced_question
from genai_tutorial.tasks.shapes import IMAGE_SIZE


def ask_about(image: Path, question: str, folder: Path | None) -> None:
    """Print the answer of `shapes-vlm` to a question about a picture."""
    with user_errors(ValueError, exit_code=WRONG_USE):
        pixels = read_picture(image)
    with user_errors(ValueError, exit_code=NOT_POSSIBLE):
        reader = load_recipe(SHAPES_VLM, folder)
    with user_errors(ValueError, exit_code=WRONG_USE):  # words it does not know
        with torch.no_grad():
            squares = reader.model.look(pixels[None])
        print(reader.answer(squares, [spaced_question(question)])[0])


def read_picture(path: Path) -> Float[Tensor, "3 32 32"]:
    """Return a picture as the model saw them in training: red, green and blue from 0 to
    1, transparency on white, 32×32 pixels.

    Raises:
        ValueError: If the file is not a picture, or has no square shape.
        FileNotFoundError: If there is no such file.
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
