"""Pictures that a user gives to `ask`, of any size, read before torch is loaded."""

import sys
import warnings
from pathlib import Path

from PIL import Image

from .user_errors import WRONG_USE, UserError

FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
# Pillow calls a broken chunk of a PNG file a syntax error.
DAMAGED = (OSError, SyntaxError, ValueError)
BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)
LARGEST_SIDE = 1024


def read_square(path: Path) -> Image.Image:
    """Return a picture as a square in red, green and blue: transparency becomes white,
    and what is not square is padded with white. A large one is reduced.
    """
    # an image with very many pixels is refused, where Pillow would only warn
    bombs = {"action": "error", "category": Image.DecompressionBombWarning}
    try:
        with (
            warnings.catch_warnings(**bombs),
            Image.open(path, formats=FORMATS) as file,
        ):
            width, height = file.size
            file.draft("RGB", (LARGEST_SIDE, LARGEST_SIDE))
            picture = file.convert("RGBA")
    except (*DAMAGED, *BOMBS) as error:
        raise UserError(
            f"{path.name} is not a picture that can be read: it must be a whole file, "
            f"in {', '.join(FORMATS)}, and not larger than fits into memory.",
            WRONG_USE,
        ) from error
    picture.thumbnail((LARGEST_SIDE, LARGEST_SIDE), Image.Resampling.BOX)
    side = max(picture.size)
    if width != height:
        told = f"The picture has {width}×{height} pixels: white makes it square."
        print(told, file=sys.stderr)
    square = Image.new("RGBA", (side, side), "white")
    corner = ((side - picture.width) // 2, (side - picture.height) // 2)
    square.alpha_composite(picture, corner)
    return square.convert("RGB")
