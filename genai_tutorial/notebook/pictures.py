"""Small, byte-reproducible PNG files from figures."""

import io

import numpy as np
from PIL import Image

FEW_COLOURS = 64
LONGEST_ALT = 250


def as_picture(figure: object) -> Image.Image:
    """Render a matplotlib figure, which is then closed, or convert a Pillow image."""
    from matplotlib.figure import Figure

    if isinstance(figure, Figure):
        from matplotlib import pyplot
        from matplotlib.backends.backend_agg import FigureCanvasAgg

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
