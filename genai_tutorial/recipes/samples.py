"""What a trained model can generate: texts, images, films or sounds."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class TextSamples:
    """Texts that a model has written."""

    items: list[str]


@dataclass(frozen=True)
class ImageSamples:
    """Images that a model has drawn, brightness from 0 to 1: grey ones without a
    channel dimension, or RGB with three channels.
    """

    items: Float[Tensor, "count *channels height width"]


@dataclass(frozen=True)
class FilmSamples:
    """Clips that a model has drawn; red, green and blue from 0 to 1."""

    items: Float[Tensor, "count frame 3 height width"]


@dataclass(frozen=True)
class SoundSamples:
    """Sounds that a model has made: `rate` samples per second, from -1 to 1."""

    items: Float[Tensor, "count sample"]
    rate: int
