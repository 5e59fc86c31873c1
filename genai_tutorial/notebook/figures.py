"""Figures with alternative text, and grids of small images."""

import base64
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from .output import put
from .pictures import as_picture, checked_alt, png
from .style import DOTS_PER_INCH

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor


def show(figure: "Figure | Image.Image", *, alt: str) -> None:
    """Show a figure on the page with alternative text for screen readers, and close it.

    Args:
        figure: A matplotlib figure or a Pillow image.
        alt: Description of the figure in at most 250 characters.

    Raises:
        ValueError: If `alt` is empty or too long.
    """
    alt = checked_alt(alt)
    data = {
        "image/png": base64.b64encode(png(as_picture(figure))).decode(),
        "text/plain": f"[Figure: {alt}]",
    }
    put(data, {"image/png": {"alt": alt}})


def image_grid(
    images: "Sequence | np.ndarray | Tensor",
    *,
    columns: int = 10,
    labels: Sequence[str] | None = None,
    row_labels: Sequence[str] | None = None,
    label_colors: Sequence[str] | None = None,
    cmap: str = "gray",
    width: float = 6.4,
    title: str | None = None,
) -> "Figure":
    """Lay out small images, such as digits or faces, in rows from the top left.

    Args:
        images: "n height width" or "n height width 3" with values from 0 (dark) to 1
            (light); values outside are clipped.
        columns: Number of images per row.
        labels: Text under each image.
        row_labels: Text to the left of each row.
        cmap: Matplotlib colour map for images without channels; "gray_r" draws dark ink
            on white.
        width: Width of the figure in inches.
        title: Title above the images.

    Raises:
        ValueError: If the numbers of images, labels and rows do not match, or `images`
            has another shape.
    """
    from matplotlib import pyplot

    pixels = (
        np.stack([_pixels(image) for image in images]) if len(images) else np.empty(0)
    )
    if pixels.ndim not in (3, 4) or (pixels.ndim == 4 and pixels.shape[-1] != 3):
        raise ValueError(
            'images must be "n height width" or "n height width 3", got shape '
            f"{tuple(pixels.shape)}."
        )
    columns = min(columns, len(pixels))
    rows = math.ceil(len(pixels) / columns)
    for name, texts, expected in (
        ("labels", labels, len(pixels)),
        ("row_labels", row_labels, rows),
    ):
        if texts is not None and len(texts) != expected:
            raise ValueError(f"{name} must have {expected} texts, got {len(texts)}.")
    if label_colors is not None and len(label_colors) != len(labels or ()):
        raise ValueError(
            f"label_colors must have {len(labels or ())} colours, got "
            f"{len(label_colors)}."
        )

    # inches
    left = 0.1 + 0.075 * max((len(text) for text in row_labels or ()), default=0)
    top = 0.32 if title else 0.04
    cell = (width - left) / columns
    tall = cell * pixels.shape[1] / pixels.shape[2]
    gap, under = 0.06 * cell, 0.2 if labels else 0.0
    height = top + rows * (tall + under)
    figure = pyplot.figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="none")
    for index, image in enumerate(pixels):
        row, column = divmod(index, columns)
        x, y = left + column * cell, height - top - (row + 1) * tall - row * under
        inside = [
            x / width,
            (y + gap) / height,
            (cell - gap) / width,
            (tall - gap) / height,
        ]
        axes = figure.add_axes(inside)
        axes.imshow(
            image, cmap=cmap, vmin=0, vmax=1, interpolation="nearest", aspect="auto"
        )
        axes.set_axis_off()
        if labels:
            color = label_colors[index] if label_colors else None
            place = {"ha": "center", "va": "top", "fontsize": 8, "color": color}
            figure.text(
                (x + (cell - gap) / 2) / width,
                (y + gap / 2) / height,
                labels[index],
                **place,
            )
        if row_labels and column == 0:
            middle = (y + (tall + gap) / 2) / height
            figure.text(
                (left - 0.1) / width,
                middle,
                row_labels[row],
                ha="right",
                va="center",
                fontsize=9,
            )
    if title:
        figure.text(
            left / width,
            1 - 0.06 / height,
            title,
            ha="left",
            va="top",
            fontsize=11,
            fontweight="bold",
        )
    return figure


def _pixels(image: object) -> np.ndarray:
    if hasattr(image, "detach"):
        image = image.detach().cpu()  # a PyTorch tensor
    if isinstance(image, Image.Image):
        return np.asarray(image, dtype=np.float32) / 255
    return np.clip(np.asarray(image, dtype=np.float32), 0, 1)
