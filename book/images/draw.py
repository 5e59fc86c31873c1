"""Draw the book's logo, favicon, Colab badge and the picture on its first page, as SVG
files with no outside reference.

Run it from anywhere: `python book/images/draw.py`. Needs Pillow, NumPy, fontTools (from
matplotlib) and brotli.
"""

import io
import math
from pathlib import Path

import numpy as np
from fontTools.misc.transform import Transform
from fontTools.pens.svgPathPen import SVGPathPen
from fontTools.pens.transformPen import TransformPen
from fontTools.ttLib import TTFont
from fontTools.varLib.instancer import instantiateVariableFont
from PIL import Image, ImageDraw, ImageFont

BOOK = Path(__file__).resolve().parents[1]
STATIC, IMAGES, FONTS = BOOK / "_static", BOOK / "images", BOOK / "_static" / "fonts"
PETROL, PAPER, APRICOT = "#00595f", "#fffdf7", "#ffb077"
INK, CHALK, PETROL_LIGHT = "#1c2329", "#f1ede3", "#67d2ca"


def font(name: str, weight: int) -> TTFont:
    """Open one of the book's fonts at a weight."""
    return instantiateVariableFont(
        TTFont(FONTS / f"{name}-latin-wght-normal.woff2"), {"wght": weight}
    )


def words(
    text: str,
    face: TTFont,
    size: float,
    x: float,
    y: float,
    color: str,
    spacing: float = 0.0,
) -> tuple[str, float]:
    """Return a line of text as a path, so that it looks the same without the font, and
    where it ends.
    """
    glyphs, cmap, scale = (
        face.getGlyphSet(),
        face.getBestCmap(),
        size / face["head"].unitsPerEm,
    )
    pen = SVGPathPen(
        glyphs, ntos=lambda number: f"{number:.2f}".rstrip("0").rstrip(".")
    )
    for letter in text:
        glyph = glyphs[cmap[ord(letter)]]
        glyph.draw(TransformPen(pen, Transform(scale, 0, 0, -scale, x, y)))
        x += glyph.width * scale + spacing
    return f'<path fill="{color}" d="{pen.getCommands()}"/>', x


def mark(x: float, y: float, size: float) -> str:
    """Return the mark: grains of noise on the left that become a triangle, the sign for
    running.
    """
    grains = (
        (8, 12, PAPER),
        (8, 18, PAPER),
        (4, 9, APRICOT),
        (4, 15, APRICOT),
        (8, 6, APRICOT),
        (5, 21, APRICOT),
    )
    body = (
        f'<rect width="32" height="32" rx="7" fill="{PETROL}"/><path fill="{PAPER}" '
        'd="M13 7.5L26 16L13 24.5z"/>'
    )
    body += "".join(
        f'<rect x="{gx}" y="{gy}" width="3.4" height="3.4" fill="{color}"/>'
        for gx, gy, color in grains
    )
    return f'<g transform="translate({x:g} {y:g}) scale({size / 32:g})">{body}</g>'


def svg(name: Path, width: float, height: float, body: str, title: str) -> None:
    """Write a file."""
    name.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" '
        f'height="{height:g}" role="img" '
        f'aria-label="{title}"><title>{title}</title>{body}</svg>\n',
        "utf8",
    )


def logo(name: str, ink: str, accent: str) -> None:
    """Draw the mark beside the book's title."""
    serif, code = font("source-serif-4", 640), font("source-code-pro", 500)
    first, end = words("Generative AI", serif, 21, 62, 18, ink)
    second, _ = words("Explained", serif, 21, 62, 38, ink)
    third, _ = words("in running code", code, 10.2, 62.5, 53.5, accent)
    svg(
        STATIC / name,
        math.ceil(end) + 2,
        58,
        mark(0, 5, 48) + first + second + third,
        "Generative AI Explained, in Running Code",
    )


def favicon() -> None:
    """Draw the mark alone."""
    svg(STATIC / "favicon.svg", 32, 32, mark(0, 0, 32), "Generative AI Explained")


def badge() -> None:
    """Draw the badge under a chapter's title."""
    label, end = words(
        "Open in Colab", font("source-sans-3", 600), 12.5, 27, 15.6, "#ffffff", 0.15
    )
    icon = f'<path fill="{APRICOT}" d="M11 5.6L19 11L11 16.4z"/>'
    for x, y in ((7.4, 8.2), (7.4, 11.8), (4.6, 10)):
        icon += f'<rect x="{x}" y="{y}" width="2" height="2" fill="#ffffff"/>'
    svg(
        IMAGES / "colab.svg",
        round(end) + 10,
        22,
        (
            f'<rect width="{round(end) + 10}" height="22" rx="5" '
            f'fill="{PETROL}"/>{icon}{label}'
        ),
        "Open in Colab",
    )


def denoising(frames: int = 7, side: int = 28) -> None:
    """Draw a letter that comes out of noise, by the equation of chapter 8: x_t =
    sqrt(a) x_0 + sqrt(1 - a) noise.
    """
    face = font("source-serif-4", 700)
    stream = io.BytesIO()
    face.flavor = None
    face.save(stream)
    stream.seek(0)
    big = Image.new("L", (side * 8, side * 8))
    letter = ImageFont.truetype(stream, round(side * 7.6))
    left, top, right, bottom = letter.getbbox("g")
    ImageDraw.Draw(big).text(
        ((side * 8 - left - right) / 2, (side * 8 - top - bottom) / 2),
        "g",
        fill=255,
        font=letter,
    )
    clean = (
        np.asarray(big.resize((side, side), Image.Resampling.BOX), float) / 255 * 2 - 1
    )
    noise = np.random.default_rng(8).normal(size=clean.shape)
    gap, body = 5, ""
    for frame in range(frames):
        # the cosine schedule
        keep = math.cos(math.pi / 2 * (1 - frame / (frames - 1))) ** 2
        picture = math.sqrt(keep) * clean + math.sqrt(1 - keep) * noise * 0.7
        levels = np.clip(np.round((picture + 1) / 2 * 8), 0, 8).astype(int)
        x0 = frame * (side + gap)
        for level in range(1, 9):
            cells = "".join(_runs(levels == level))
            body += (
                f'<path transform="translate({x0} 0)" fill-opacity="{level / 8:.2f}" '
                f'd="{cells}"/>'
            )
    width = frames * (side + gap) - gap
    (IMAGES / "denoising.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" class="denoising" viewBox="0 0 '
        f'{width} {side}" role="img" '
        f'shape-rendering="crispEdges" fill="currentColor" aria-label="{frames} '
        "pictures: from pure noise, step by "
        f'step, a letter g appears"><title>From noise to a letter in {frames} '
        f"steps</title>{body}</svg>\n",
        "utf8",
    )


def _runs(cells: np.ndarray) -> list[str]:
    """Return the true cells as rectangles, one for each run in a row."""
    parts = []
    for y, row in enumerate(cells):
        edges = np.flatnonzero(np.diff(np.concatenate(([0], row.astype(int), [0]))))
        parts += [
            f"M{start} {y}h{end - start}v1h-{end - start}z"
            for start, end in edges.reshape(-1, 2)
        ]
    return parts


if __name__ == "__main__":
    logo("logo-light.svg", INK, PETROL)
    logo("logo-dark.svg", CHALK, PETROL_LIGHT)
    favicon()
    badge()
    denoising()
