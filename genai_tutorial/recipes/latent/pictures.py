"""The captioned pictures of the latent models, with their metrics: scenes with their
captions, emoji with their names.
"""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from genai_tutorial.data import Source, emoji, load_emoji_split
from genai_tutorial.metrics import nearest_neighbours
from genai_tutorial.tasks.shapes import CAPTION_LENGTH, CAPTION_TOKENIZER, load_shapes
from genai_tutorial.tasks.shapes import pictures as shapes
from genai_tutorial.tokenization import WordTokenizer

from ..shapes.text_to_image import DrawCaptions, caption_metrics, everything_shown
from ..spot_check import SpotCheck, draw_items


class Captioned(NamedTuple):
    """Pictures with their captions."""

    images: Float[Tensor, "n 3 32 32"]
    captions: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Scenes:
    """Scenes of one and two shapes, the same as for the model that draws pixels."""

    count: int = 60_000
    measured: int = 200

    source: ClassVar[Source] = shapes.SOURCE
    context_length: ClassVar[int] = CAPTION_LENGTH
    example: ClassVar[str] = "a small red circle above a large blue square"

    def load(self, seed: int) -> Captioned:
        """Return the training pictures, each with its full caption and with one that
        may omit details.
        """
        scenes = load_shapes(self.count, seed, objects=(1, 2))
        varied = scenes.varied_captions(torch.Generator().manual_seed(seed))
        return Captioned(scenes.images, (scenes.captions, varied))

    def tokenizer(self) -> WordTokenizer:
        """Return the tokenizer of all captions."""
        return CAPTION_TOKENIZER

    def measure(self, draw: DrawCaptions, seed: int) -> dict:
        """Return the accuracy for captions from the training distribution."""
        parts = {"one_object": ((1,), "train"), "two_objects": ((2,), "train")}
        metrics = {
            f"{part}_{name}": value
            for part, accuracies in caption_metrics(
                draw, parts, self.measured, seed + 1
            ).items()
            for name, value in accuracies.items()
        }
        return metrics | {"captions_each": self.measured}

    def spot_check(self, draw: DrawCaptions, n: int, seed: int) -> SpotCheck:
        """Measure how many pictures of two objects show everything that their caption
        describes.
        """
        return SpotCheck(
            "two_objects_everything", everything_shown(draw, (2,), n, seed)
        )

    def summary(self, metrics: dict) -> str:
        """Return the accuracy as a phrase."""
        return (
            f"{metrics['one_object_everything']:.1%} of pictures of one object show "
            "all that the caption says"
        )


@dataclass(frozen=True)
class Emoji:
    """Emoji of OpenMoji with their English names, without skin tones; the models of the
    book hold out some families.
    """

    measured: int = 200

    source: ClassVar[Source] = emoji.SOURCE
    context_length: ClassVar[int] = 10
    example: ClassVar[str] = "fire engine"

    def load(self, seed: int) -> Captioned:
        """Return the training pictures with their names; the seed has no effect."""
        train, _ = load_emoji_split()
        return Captioned(train.images, (train.names,))

    def tokenizer(self) -> WordTokenizer:
        """Return the tokenizer of all words in the training names; it rejects other
        words.
        """
        return WordTokenizer.from_texts(load_emoji_split()[0].names)

    def measure(self, draw: DrawCaptions, seed: int) -> dict:
        """Return how often a name gives its own picture, for training names and for
        held-out names of known words.
        """
        train, held_out = load_emoji_split()
        order = (
            torch.randperm(len(train), generator=torch.Generator().manual_seed(seed))[
                : self.measured
            ]
            .sort()
            .values
        )
        words = set(self.tokenizer().words)
        known = [
            index
            for index, name in enumerate(held_out.names)
            if words.issuperset(name.lower().split())
        ]
        drawn = draw([held_out.names[index] for index in known])
        distances = torch.cdist(drawn.flatten(1), held_out.images[known].flatten(1))
        others = ~torch.eye(len(known), dtype=torch.bool)
        of_held_out = _nearest(drawn) == torch.tensor(known) + len(train)
        return {
            "recalled": _share(self._are_recalled(draw, order)),
            "recalled_held_out": _share(of_held_out),
            "nearer_than_another": _share(
                (distances > distances.diag()[:, None])[others]
            ),
            "training_names": len(order),
            "held_out_names_of_known_words": len(known),
        }

    def spot_check(self, draw: DrawCaptions, n: int, seed: int) -> SpotCheck:
        """Measure how many of the training names give their pictures."""
        sample = torch.tensor(draw_items(range(len(load_emoji_split()[0])), n, seed))
        return SpotCheck("recalled", self._are_recalled(draw, sample).tolist())

    def _are_recalled(
        self, draw: DrawCaptions, indices: Int[Tensor, "n"]
    ) -> Bool[Tensor, "n"]:
        """Draw the training names with these indices, and return whether their own
        pictures are nearest.
        """
        train, _ = load_emoji_split()
        drawn = draw([train.names[index] for index in indices.tolist()])
        return _nearest(drawn) == indices

    def summary(self, metrics: dict) -> str:
        """Return the share of recalled names as a phrase."""
        return (
            f"{metrics['recalled']:.1%} of training names give a picture that is "
            "nearest to their own"
        )


def _nearest(drawn: Float[Tensor, "n 3 32 32"]) -> Int[Tensor, "n"]:
    """Return the index of the nearest emoji: first the training pictures, then the
    held-out ones.
    """
    train, held_out = load_emoji_split()
    pool = torch.cat([train.images, held_out.images])
    return nearest_neighbours(drawn, pool).indices[:, 0]


def _share(values: Bool[Tensor, "n"]) -> float:
    return round(values.double().mean().item(), 4)
