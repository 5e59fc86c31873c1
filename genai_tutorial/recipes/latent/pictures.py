"""The captioned pictures of the latent models, with their metrics: scenes with their
captions, emoji with their names.
"""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genai_tutorial.data import Source, emoji, load_emoji_split
from genai_tutorial.metrics import CopyCheck, check_copies
from genai_tutorial.recipes.shapes.text_to_image import (
    DrawCaptions,
    caption_metrics,
    everything_shown,
)
from genai_tutorial.recipes.spot_check import SpotCheck, draw_items
from genai_tutorial.tasks.shapes import CAPTION_LENGTH, CAPTION_TOKENIZER, load_shapes
from genai_tutorial.tasks.shapes import pictures as shapes
from genai_tutorial.tokenization import WordTokenizer


class Captioned(NamedTuple):
    """Pictures with their captions.

    Attributes:
        images: Red, green and blue of each pixel, from 0 to 1.
        captions: One or more sets of captions; each has one for every picture.
    """

    images: Float[Tensor, "n 3 32 32"]
    captions: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Scenes:
    """Scenes of one and two shapes, the same as for the model that draws pixels.

    Attributes:
        count: How many scenes the model is shown, again and again.
        measured: How many captions of each kind it is measured with.
    """

    count: int = 60_000
    measured: int = 200

    source: ClassVar[Source] = shapes.SOURCE
    context_length: ClassVar[int] = CAPTION_LENGTH
    example: ClassVar[str] = "a small red circle above a large blue square"

    def load(self, seed: int) -> Captioned:
        """Return the training pictures: each with its full caption, and with one that
        may say less.
        """
        scenes = load_shapes(self.count, seed, objects=(1, 2))
        varied = scenes.varied_captions(torch.Generator().manual_seed(seed))
        return Captioned(scenes.images, (scenes.captions, varied))

    def tokenizer(self) -> WordTokenizer:
        """Return the tokenizer of all captions."""
        return CAPTION_TOKENIZER

    def measure(self, draw: DrawCaptions, seed: int) -> dict:
        """Return how often pictures show what captions as in training say."""
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
        """Measure how many pictures of two objects show all that their caption says."""
        return SpotCheck(
            "two_objects_everything", everything_shown(draw, (2,), n, seed)
        )

    def summary(self, metrics: dict) -> str:
        """Return the accuracy in words."""
        return (
            f"{metrics['one_object_everything']:.1%} of pictures of one object show "
            "all that the caption says"
        )


@dataclass(frozen=True)
class Emoji:
    """Emoji of OpenMoji with their English names, without skin tones; the models of the
    book hold out some families.

    Attributes:
        measured: How many of the training names the model is measured with.
    """

    measured: int = 200

    source: ClassVar[Source] = emoji.SOURCE
    context_length: ClassVar[int] = 10
    example: ClassVar[str] = "fire engine"

    def load(self, seed: int) -> Captioned:
        """Return the training pictures with their names; the seed decides nothing."""
        train, _ = load_emoji_split()
        return Captioned(train.images, (train.names,))

    def tokenizer(self) -> WordTokenizer:
        """Return the tokenizer of all words in the training names; others cannot be
        asked for.
        """
        return WordTokenizer.from_texts(load_emoji_split()[0].names)

    def measure(self, draw: DrawCaptions, seed: int) -> dict:
        """Return whether training names give their pictures, how many are copies, and
        what new names give.

        `recalled` is the share of training names whose own picture is nearest to the
        drawn one, and `copies` the share that lie less than a third as far from that as
        from the second nearest. For held-out names of known words,
        `nearer_than_another` is how often a drawn picture is nearer to its own held-out
        picture than to another's; guessing gives a half.
        """
        train, held_out = load_emoji_split()
        order = (
            torch.randperm(len(train), generator=torch.Generator().manual_seed(seed))[
                : self.measured
            ]
            .sort()
            .values
        )
        check = self._check_names(draw, order)
        recalled = check.nearest == order
        words = set(self.tokenizer().words)
        known = [
            index
            for index, name in enumerate(held_out.names)
            if words.issuperset(name.lower().split())
        ]
        drawn = draw([held_out.names[index] for index in known])
        distances = torch.cdist(drawn.flatten(1), held_out.images[known].flatten(1))
        others = ~torch.eye(len(known), dtype=torch.bool)
        return {
            "recalled": round(recalled.double().mean().item(), 4),
            "copies": round(check.copies().double().mean().item(), 4),
            "nearer_than_another": round(
                (distances > distances.diag()[:, None])[others].double().mean().item(),
                4,
            ),
            "training_names": len(order),
            "held_out_names_of_known_words": len(known),
        }

    def spot_check(self, draw: DrawCaptions, n: int, seed: int) -> SpotCheck:
        """Measure how many of the training names give their pictures."""
        sample = torch.tensor(draw_items(range(len(load_emoji_split()[0])), n, seed))
        nearest = self._check_names(draw, sample).nearest
        return SpotCheck("recalled", (nearest == sample).tolist())

    def _check_names(self, draw: DrawCaptions, places: Int[Tensor, "n"]) -> CopyCheck:
        """Draw the training names at these places, and find what is nearest."""
        train, held_out = load_emoji_split()
        drawn = draw([train.names[place] for place in places.tolist()])
        return check_copies(drawn, train.images, held_out.images)

    def summary(self, metrics: dict) -> str:
        """Return the share of recalled names in words."""
        return (
            f"{metrics['recalled']:.1%} of training names give a picture that is "
            "nearest to their own"
        )
