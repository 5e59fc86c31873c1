"""What the latent models learn to draw, and how it is judged: scenes from their
captions, emoji from their names.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.data import emoji
from genai_tutorial.data.source import Source
from genai_tutorial.metrics import check_copies
from genai_tutorial.recipes.emoji_autoencoder import split
from genai_tutorial.recipes.shapes.clip import CONTEXT_LENGTH, TOKENIZER
from genai_tutorial.tasks.shapes import caption_accuracy, load_shapes
from genai_tutorial.tasks.shapes import pictures as shapes
from genai_tutorial.tokenization import WordTokenizer

Draw = Callable[[Sequence[str]], Float[Tensor, "n 3 32 32"]]
"""Draws a picture for each caption."""


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
    context_length: ClassVar[int] = CONTEXT_LENGTH
    example: ClassVar[str] = "a small red circle above a large blue square"

    def load(self, seed: int) -> Captioned:
        """Return the training pictures: each with its full caption, and with one that
        may say less.
        """
        drawn = load_shapes(self.count, seed, objects=(1, 2))
        return Captioned(
            drawn.images,
            (
                drawn.captions,
                drawn.varied_captions(torch.Generator().manual_seed(seed)),
            ),
        )

    def tokenizer(self) -> WordTokenizer:
        """Return the tokenizer of all captions."""
        return TOKENIZER

    def measure(self, draw: Draw, seed: int) -> dict:
        """Return how often pictures show what captions say that are as in training."""
        metrics = {}
        for name, objects in (("one_object", (1,)), ("two_objects", (2,))):
            captions = load_shapes(self.measured, seed + 1, objects).captions
            accuracy = caption_accuracy(captions, draw(captions))
            metrics |= {
                f"{name}_{one.name}": round(getattr(accuracy, one.name), 4)
                for one in fields(accuracy)
            }
        return metrics | {"captions_each": self.measured}

    def headline(self, metrics: dict) -> str:
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
        train, _ = split()
        return Captioned(train.images, (train.names,))

    def tokenizer(self) -> WordTokenizer:
        """Return the tokenizer of all words in the training names; others cannot be
        asked for.
        """
        return WordTokenizer.from_texts(split()[0].names)

    def measure(self, draw: Draw, seed: int) -> dict:
        """Return whether training names give their pictures, how many are copies, and
        what new names give.

        `recalled` is the share of training names whose own picture is nearest to the
        drawn one, and `copies` the share that lie less than a third as far from that as
        from the second nearest. For held-out names of known words,
        `nearer_than_another` is how often a drawn picture is nearer to its own held-out
        picture than to another's; guessing gives a half.
        """
        train, held_out = split()
        order = (
            torch.randperm(len(train), generator=torch.Generator().manual_seed(seed))[
                : self.measured
            ]
            .sort()
            .values
        )
        check = check_copies(
            draw([train.names[index] for index in order.tolist()]),
            train.images,
            held_out.images,
        )
        words = set(self.tokenizer().words)
        known = [
            index
            for index, name in enumerate(held_out.names)
            if words.issuperset(name.lower().split())
        ]
        drawn = draw([held_out.names[index] for index in known])
        apart = torch.cdist(drawn.flatten(1), held_out.images[known].flatten(1))
        others = ~torch.eye(len(known), dtype=torch.bool)
        return {
            "recalled": round((check.nearest == order).double().mean().item(), 4),
            "copies": round(check.copies().double().mean().item(), 4),
            "nearer_than_another": round(
                (apart > apart.diag()[:, None])[others].double().mean().item(), 4
            ),
            "training_names": len(order),
            "held_out_names_of_known_words": len(known),
        }

    def headline(self, metrics: dict) -> str:
        """Return the share of recalled names in words."""
        return (
            f"{metrics['recalled']:.1%} of training names give a picture that is "
            "nearest to their own"
        )
