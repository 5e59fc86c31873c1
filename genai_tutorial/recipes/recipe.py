"""What a recipe is: everything that decides one model of the book, so that anyone can
make it again.

Each family of models has a module with a frozen dataclass that can do what `Recipe`
lists here. Its settings stand on the model's card, so JSON must be able to hold them.
`train` calls `fit`, rounds the weights to the 16 bits of the file, and lets `measure`
judge what is left; `load` calls `build` and `ready`. A family whose models write or
draw says so by having `write` or `draw`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genai_tutorial.data.source import Source
from genai_tutorial.training import Checkpoint, Process


@dataclass(frozen=True)
class RunSettings:
    """How a recipe is to be followed this time.

    Attributes:
        steps: How many steps; the recipe's own number, or a shorter run's.
        device: Where to compute.
        process: Which of several processes this is, for the batches' `rank` and
            `world_size`.
        checkpoint: Where the run saves itself and goes on from.
        progress: Whether to show a progress bar.
    """

    steps: int
    device: torch.device
    process: Process
    checkpoint: Checkpoint
    progress: bool = True


@dataclass(frozen=True)
class Trained:
    """What a recipe's run made.

    Attributes:
        model: The model whose weights the file will hold: the average of the weights
            where the recipe keeps one.
        seconds: How long the steps took.
        notes: What else belongs on the card, as JSON can hold it: a tokenizer, the
            course of a held-out loss.
    """

    model: nn.Module
    seconds: float
    notes: Mapping[str, Any] = field(default_factory=dict)


@runtime_checkable
class Recipe(Protocol):
    """What `train`, `load` and the commands ask of a recipe."""

    name: str
    """What `train` and `load` call it."""
    title: str
    """What it is, in one line."""
    steps: int
    """How many steps its run takes."""
    seed: int
    """Decides the first weights, the batches and all other random numbers."""
    published: bool
    """Whether the package carries the trained model."""

    @property
    def source(self) -> Source:
        """The data that it is made from."""

    def build(self, about: dict) -> nn.Module:
        """Return the model that a card describes, its weights not read yet."""

    def fit(self, settings: RunSettings) -> Trained:
        """Trains a model, or goes on with a run that was stopped; must end at the same
        weights either way.
        """

    def measure(self, model: nn.Module) -> dict:
        """Return how good the model is on data that it was not trained on: the card's
        `metrics`.
        """

    def headline(self, metrics: dict) -> str:
        """Return the one number that matters most, with its unit, such as "98.1 % of
        unseen digits".
        """

    def ready(self, model: nn.Module, about: dict) -> Any:
        """Return what `load` hands out: the model, or the model with what one needs to
        use it.
        """


@dataclass(frozen=True)
class Wishes:
    """What a sample should be like. None leaves it to the model; a family lists in
    `takes` what it understands.

    Attributes:
        prompt: How the text begins, or what the picture should show.
        temperature: Below 1 plays safe, above 1 risks more, 0 is greedy.
        top_p: Draw among the likeliest tokens that hold this probability.
        tokens: How many tokens to add.
        count: How many images.
        steps: How many steps each image takes.
        guidance: How strongly the images are pulled towards the prompt or the digit.
        digit: Which digit to draw, 0 to 9.
    """

    prompt: str | None = None
    temperature: float | int | None = None
    top_p: float | int | None = None
    tokens: int | None = None
    count: int | None = None
    steps: int | None = None
    guidance: float | int | None = None
    digit: int | None = None

    def named(self) -> tuple[str, ...]:
        """Return the names of the wishes that are not None.

        >>> Wishes(digit=7, count=1).named()
        ('count', 'digit')
        """
        return tuple(
            one.name for one in fields(self) if getattr(self, one.name) is not None
        )


@runtime_checkable
class WritesText(Protocol):
    """A recipe whose models write."""

    takes: tuple[str, ...]
    """The wishes that it understands."""

    def write(self, loaded: Any, wishes: Wishes, seed: int) -> str:
        """Return a text by what `load` handed out."""


@runtime_checkable
class DrawsImages(Protocol):
    """A recipe whose models draw."""

    takes: tuple[str, ...]
    """The wishes that it understands besides `count`."""

    def draw(
        self, loaded: Any, wishes: Wishes, count: int, seed: int
    ) -> Float[Tensor, "count *channels height width"]:
        """Return images by what `load` handed out: brightness from 0 to 1, grey
        without channels or RGB with three.
        """
