"""Figures on a page: images, sliders and schematics, each with alternative text and a
caption that numbers it.
"""

import base64
import html
import re
from collections.abc import Mapping
from importlib.resources import files
from typing import TYPE_CHECKING

from PIL import Image

from .figures import as_picture, checked_alt, png, put
from .frames import Frames, Play

CAPTION = re.compile(r"(Figure \d+[a-z]?\.\d+)\. (\S.*)")
LONGEST_CAPTION = 20  # words, without the number
DENSITY = (
    2  # pixels of a figure per pixel on the page, for projectors and dense screens
)
TAG = re.compile(r"\\tag\{(\d+[a-z]?\.\d+)\}")

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def show(
    figure: "Figure | Image.Image | Frames | Play",
    *,
    alt: str | None = None,
    caption: str | None = None,
) -> None:
    """Show a figure with alternative text for screen readers and a caption
    below it, and close it.

    Args:
        figure: A matplotlib figure, a Pillow image, or a figure with sliders or
            buttons, which has its own alternative texts.
        alt: Description of the figure in at most 250 characters.
        caption: What to see in the figure, in at most 20 words after its number, as in
            "Figure 8.4. The loss falls fast, then slowly."

    Raises:
        ValueError: If `alt` is empty, too long, missing or superfluous, or if `caption`
            has no number, is too long or repeats `alt`.
    """
    if isinstance(figure, Frames | Play):
        if alt is not None:
            raise ValueError(
                "A figure with sliders has alternative texts: leave out alt."
            )
        data, metadata = figure._repr_mimebundle_()
    else:
        alt = checked_alt(alt or "")
        density = 1 if isinstance(figure, Image.Image) else DENSITY
        picture = as_picture(figure, density)
        content = base64.b64encode(png(picture)).decode()
        data = {"image/png": content, "text/plain": f"[Figure: {alt}]"}
        metadata = {"image/png": {"alt": alt, "width": picture.width // density}}
    _put_with_caption(data, metadata, caption)


def schematic(name: str, *, caption: str | None = None) -> None:
    """Show one of the book's schematics of a method.

    Viewers that trust the notebook show it as SVG, others as PNG.

    Args:
        caption: As for `show`.

    Raises:
        FileNotFoundError: If there is no schematic of that name.
    """
    folder = files("genai_tutorial.notebook") / "schematics"
    svg = (folder / f"{name}.svg").read_text("utf8")
    content = base64.b64encode((folder / f"{name}.png").read_bytes()).decode()
    alt = html.unescape(re.search(r"<desc[^>]*>(.*?)</desc>", svg)[1])
    data = {
        "image/svg+xml": svg,
        "image/png": content,
        "text/plain": f"[Figure: {alt}]",
    }
    kinds = {"image/svg+xml": {"alt": alt}, "image/png": {"alt": alt}}
    _put_with_caption(data, kinds | {"genai_tutorial": {"schematic": name}}, caption)


def _put_with_caption(data: Mapping, metadata: Mapping, caption: str | None) -> None:
    """Display a figure, and below it the caption as Markdown, which every viewer shows;
    the book joins the two.
    """
    if caption is not None:
        caption = " ".join(caption.split())
        alts = [kind.get("alt") for kind in metadata.values()]
        if fault := caption_fault(caption, alts):
            raise ValueError(fault)
    put(data, metadata)
    if caption is not None:
        below = {"text/markdown": f"*{caption}*", "text/plain": caption}
        put(below, {"genai_tutorial": {"caption": caption}})


def caption_fault(caption: str, alts: list[str | None]) -> str:
    """Return what is wrong with a caption, or nothing."""
    parts = CAPTION.fullmatch(caption)
    if parts is None:
        return (
            f"a caption begins with a number, as in 'Figure 8.4. Text', got {caption!r}"
        )
    if (words := len(parts[2].split())) > LONGEST_CAPTION:
        return f"{words} words; a caption has at most {LONGEST_CAPTION}: {caption}"
    if parts[2] in alts:
        return f"the caption says what to see, not what is there, like alt: {caption}"
    return ""


def captions(notebook: Mapping) -> list[tuple[dict, str]]:
    """Return each output with a caption, and the caption."""
    found = []
    for cell in notebook["cells"]:
        for figure, below in zip(
            cell.get("outputs", ()), cell.get("outputs", ())[1:], strict=False
        ):
            fact = below.get("metadata", {}).get("genai_tutorial", {})
            if "caption" in fact:
                found.append((figure, fact["caption"]))
    return found


def numbers(notebook: Mapping) -> list[str]:
    """Return the numbered figures and equations of a notebook in their order, such as
    "figure 8.4" and "equation 8.6".
    """
    figures = [
        CAPTION.fullmatch(caption)[1].lower() for _, caption in captions(notebook)
    ]
    return figures + [
        f"equation {number}"
        for cell in notebook["cells"]
        if cell["cell_type"] == "markdown"
        for number in TAG.findall("".join(cell["source"]))
    ]
