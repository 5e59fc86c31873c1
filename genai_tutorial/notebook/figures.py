"""Figures below a cell: the book's style, small PNG files and grids of images."""

import io
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image


def put(data: Mapping[str, str], metadata: Mapping[str, Any]) -> None:
    """Display data in several formats, by MIME type, with metadata that the notebook
    stores.
    """
    from IPython import get_ipython
    from IPython.display import display

    if get_ipython() is None:
        print(data["text/plain"])
    else:
        display(dict(data), raw=True, metadata=dict(metadata))


class Palette(NamedTuple):
    """Colours by name (`COLORS.blue`) and by index (`COLORS[0]`).

    Source: Okabe and Ito, "Color Universal Design" (2008),
        https://jfly.uni-koeln.de/color/.
    """

    blue: str = "#0072B2"
    vermillion: str = "#D55E00"
    green: str = "#009E73"
    purple: str = "#CC79A7"
    black: str = "#333333"
    orange: str = "#E69F00"
    sky: str = "#56B4E9"


COLORS = Palette()

INK, FAINT = "#222222", "#E4E4E4"
DOTS_PER_INCH = 100


def use_style() -> None:
    """Apply the book's style to all matplotlib figures drawn from now on: 640 by 360
    pixels by default.
    """
    import matplotlib

    matplotlib.rcParams.update(
        {
            "axes.axisbelow": True,
            "axes.edgecolor": "#777777",
            "axes.facecolor": "white",
            "axes.grid": True,
            "axes.labelcolor": INK,
            "axes.prop_cycle": matplotlib.cycler(color=COLORS),
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.titlelocation": "left",
            "axes.titlesize": 11,
            "axes.titleweight": "bold",
            # Dark mode shows figures unchanged, so the background must not be
            # transparent.
            "figure.facecolor": "white",
            "figure.figsize": (6.4, 3.6),
            "figure.dpi": DOTS_PER_INCH,
            "figure.constrained_layout.use": True,
            "figure.titlesize": 12,
            "figure.titleweight": "bold",
            # The font that comes with matplotlib, so that text looks the same on every
            # machine.
            "font.family": "DejaVu Sans",
            "font.size": 10,
            "grid.color": FAINT,
            "image.cmap": "viridis",
            "legend.frameon": False,
            "lines.linewidth": 2,
            "savefig.dpi": DOTS_PER_INCH,
            "savefig.facecolor": "white",
            "text.color": INK,
            "xtick.color": INK,
            "ytick.color": INK,
        }
    )


FEW_COLOURS = 64
LONGEST_ALT = 250


def as_picture(figure: object, density: int = 1) -> Image.Image:
    """Render a matplotlib figure, which is then closed, with `density` pixels per pixel
    on the page, or convert a Pillow image.
    """
    from matplotlib.figure import Figure

    if isinstance(figure, Figure):
        from matplotlib import pyplot
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        figure.dpi *= density
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        pixels = np.asarray(canvas.buffer_rgba()).copy()
        pyplot.close(
            figure
            # otherwise the notebook shows it again at the end of the cell, without its
            # alternative text
        )
        figure = Image.fromarray(pixels)
    if not isinstance(figure, Image.Image):
        raise TypeError(
            "Expected a matplotlib Figure or a Pillow image, got "
            f"{type(figure).__name__}."
        )
    white = Image.new("RGBA", figure.size, "white")
    return Image.alpha_composite(white, figure.convert("RGBA")).convert("RGB")


def png(picture: Image.Image) -> bytes:
    """Encode an RGB image as a PNG of at most 64 colours, 4 to 10 times smaller than in
    full colour.
    """
    if picture.getcolors(FEW_COLOURS) is not None:
        flat = picture.convert("P", palette=Image.Palette.ADAPTIVE, colors=FEW_COLOURS)
    else:
        flat = picture.quantize(
            FEW_COLOURS,
            method=Image.Quantize.MEDIANCUT,
            kmeans=1,
            dither=Image.Dither.NONE,
        )
    stream = io.BytesIO()
    flat.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def checked_alt(alt: str) -> str:
    """Return the alternative text on one line, after checking its length."""
    alt = " ".join(alt.split())
    if not alt:
        raise ValueError(
            "alt is empty; describe the figure in a sentence for readers who cannot "
            "see it."
        )
    if len(alt) > LONGEST_ALT:
        raise ValueError(
            f"alt may have {LONGEST_ALT} characters, got {len(alt)}; the text can say "
            f"more: {alt[:50]}…"
        )
    return alt


if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor


def image_grid(
    images: "Sequence | np.ndarray | Tensor",
    *,
    columns: int = 10,
    labels: Sequence[str] | None = None,
    row_labels: Sequence[str] | None = None,
    cmap: str = "gray",
    width: float = 6.4,
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

    # inches
    left = 0.1 + 0.075 * max((len(text) for text in row_labels or ()), default=0)
    top = 0.04
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
            figure.text(
                (x + (cell - gap) / 2) / width,
                (y + gap / 2) / height,
                labels[index],
                ha="center",
                va="top",
                fontsize=8,
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
    return figure


def _pixels(image: object) -> np.ndarray:
    if hasattr(image, "detach"):
        image = image.detach().cpu()  # a PyTorch tensor
    if isinstance(image, Image.Image):
        return np.asarray(image, dtype=np.float32) / 255
    return np.clip(np.asarray(image, dtype=np.float32), 0, 1)
