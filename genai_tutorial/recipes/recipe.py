"""The base class of all recipes: all settings needed to retrain one of the book's
models.

A recipe is a frozen dataclass of settings, with the data, the model, the loss and the
measurement as methods. Its settings are written on the model's card, so JSON must be
able to hold them. `train` calls `fit`, rounds the weights to the 16 bits of the file
and calls `measure` on the rounded model; `load` calls `build` and `wrap`; `sample`
draws from what `load` returns.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genai_tutorial.data import Source
from genai_tutorial.pretrained import (
    read_card,
    read_tokenizer,
    read_weights,
    rounded_weights,
)
from genai_tutorial.training import (
    EMA,
    Checkpoint,
    CombinedOptimizer,
    OptimizerSettings,
    Process,
    Schedule,
    TensorBatches,
    build_optimizer,
    fit,
    parallel,
)

Item = TypeVar("Item")

DECODER_RATES = OptimizerSettings(
    matrix_lr=0.03, embedding_lr=0.01, head_lr=0.005, vector_lr=0.03, momentum=0.9
)
"""The learning rates of several small decoders."""

_RATES = {"embedding_lr": 0.01, "vector_lr": 0.003, "momentum": 0.95}
U_NET_RATES = OptimizerSettings(matrix_lr=0.02, kernel_lr=0.02, head_lr=0.003, **_RATES)
FAST_U_NET_RATES = OptimizerSettings(
    matrix_lr=0.03, kernel_lr=0.03, head_lr=0.005, **_RATES
)
"""The learning rates of the U-Nets, and of those that are trained for a minute."""

DAMAGED = (
    ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError,
    MemoryError,
)  # fmt: skip
"""The errors of models that are built from a damaged card."""


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


@dataclass(frozen=True)
class RunSettings:
    """The circumstances of one run of a recipe.

    Attributes:
        steps: Number of steps: the recipe's, or fewer for a shorter run.
        checkpoint: The file that the run is saved in and resumed from.
    """

    steps: int
    device: torch.device
    process: Process
    checkpoint: Checkpoint
    progress: bool = True

    @property
    def share(self) -> dict[str, int]:
        """The arguments of batches of which each process gets a share."""
        return {"rank": self.process.rank, "world_size": self.process.world_size}

    def batches(self, recipe: "Recipe", *tensors: Tensor) -> TensorBatches:
        """Return this process's share of shuffled batches."""
        return TensorBatches(tensors, recipe.batch_size, recipe.seed, **self.share)

    def fit(
        self,
        recipe: "Recipe",
        model: nn.Module,
        batches: Iterable[Sequence[Tensor]],
        loss: Callable[..., Float[Tensor, ""]],
        optimizer: torch.optim.Optimizer | CombinedOptimizer | None = None,
        *,
        generator: torch.Generator | None = None,
        in_parallel: bool = True,
        evaluate: Callable[[nn.Module], float] | None = None,
        evaluate_every: int | None = None,
        losses_every: int | None = None,
        notes: Mapping[str, Any] | None = None,
    ) -> "Trained":
        """Train a model with a recipe's schedule, or resume a run that was stopped; see
        `training.fit`.

        Args:
            model: The untrained model; already on its device if there is an optimizer.
            batches: This process's share of each batch.
            loss: Called as `loss(model, *batch)`, and with `generator` if it draws.
            optimizer: By default built with the recipe's settings.
            in_parallel: If true, processes average their gradients; the loss must then
                call nothing but `forward`.
            evaluate: Called with the model regularly; returns a number to keep.
            losses_every: Every how many steps the card has the training loss; None for
                no losses.

        Returns:
            The model with the average of the weights, or the model itself if the recipe
            has none.
        """
        model.to(self.device)
        decay = recipe.ema_decay
        average = None if decay is None else EMA(model, decay)
        history = fit(
            parallel(model) if in_parallel else model,
            batches,
            loss if generator is None else partial(loss, generator=generator),
            optimizer or build_optimizer(model, recipe.optimizer),
            steps=self.steps,
            schedule=recipe.schedule().over(self.steps),
            evaluate=evaluate,
            evaluate_every=evaluate_every,
            ema=average,
            checkpoint=self.checkpoint,
            generators=[] if generator is None else [generator],
            progress=self.progress,
        )
        entries: dict[str, Any] = {}
        if losses_every is not None:
            kept = history.losses[::losses_every]
            entries["losses"] = [round(loss, 4) for loss in kept]
        if evaluate is not None:
            entries["held_out_while_training"] = [
                [point.step, round(point.value, 4)] for point in history.evaluations
            ]
        trained = model if average is None else average.model
        return Trained(trained, history.seconds, entries | dict(notes or {}))


@dataclass(frozen=True)
class Trained:
    """The result of a run.

    Attributes:
        model: The model whose weights the file will hold.
        notes: Further entries of the card, as values for JSON: a tokenizer, the
            held-out loss during training.
    """

    model: nn.Module
    seconds: float
    notes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Recipe(ABC):
    """The settings and methods that all recipes share.

    Attributes:
        batch_size: The number of examples in a batch, over all processes.
        warmup_steps: Number of steps in the warmup; a linear decay follows.
        final_factor: The factor of the learning rates at the end of the decay.
        cooldown_steps: Number of steps at the end in which the learning rates fall from
            there to zero.
        optimizer: Settings for `build_optimizer`; None where the recipe builds its own
            optimizer.
        ema_decay: Decay of the exponential moving average of the weights, which is what
            is saved; None saves the weights themselves.
        seed: Seed of the initial weights, the batches and all other random numbers.
        published: True if the package contains the trained model.
    """

    name: str
    title: str
    config: Any
    batch_size: int
    steps: int
    warmup_steps: int = 0
    final_factor: float = 0.0
    cooldown_steps: int = 0
    optimizer: OptimizerSettings | None = None
    ema_decay: float | None = None
    seed: int = 0
    published: bool = True

    network: ClassVar[Callable[[Any, int], nn.Module]]
    """The class of the model, which `build` calls with the settings and the seed."""

    source: ClassVar[Source]
    """The data that the model is trained on."""

    makes: ClassVar[Literal["text", "images", "films", "sounds"] | None] = None
    """The kind of sample that the model generates; None where it generates nothing."""

    options: ClassVar[Any] = None
    """The sampling options with this model's defaults, a frozen dataclass; None where
    the model generates nothing.
    """

    metric: ClassVar[str]
    """The metric that `score` measures: its path on the card, such as
    "facts_completed.told".
    """

    in_words: ClassVar[str]
    """The most important metric with its unit, as a format string for the card's
    metrics, such as "{held_out_accuracy:.1%} of unseen digits classified correctly".
    """

    tokenizer_file: ClassVar[str | None] = None
    """A file for the tokenizer that several models share, beside their cards; None
    keeps the tokenizer on the card.
    """

    def schedule(self) -> Schedule:
        """Return the schedule of the learning rates over the recipe's steps."""
        return Schedule(
            self.steps,
            self.warmup_steps,
            "linear",
            None,
            self.final_factor,
            self.cooldown_steps,
        )

    def build(self) -> nn.Module:
        """Return the untrained model, with initial weights drawn with the seed."""
        return self.network(self.config, self.seed)

    @abstractmethod
    def fit(self, run: RunSettings) -> Trained:
        """Train the model, or resume a run that was stopped; both end at the same
        weights.
        """

    @abstractmethod
    def measure(self, model: nn.Module) -> dict:
        """Return how good the model is on held-out data: the card's `metrics`."""

    @abstractmethod
    def score(self, loaded: Any, n: int, seed: int) -> list:
        """Return `metric` for each of `n` held-out items, drawn at random: a bool if
        items are correct or incorrect, else a number. The card has their mean over all
        items.

        Args:
            n: The number of items, few enough for every test run.
            seed: Seed of the draw, and of the noise if the model is sampled.

        Raises:
            ValueError: If there are fewer than `n` held-out items.
        """

    def summary(self, metrics: dict) -> str:
        """Return `in_words` with a card's metrics."""
        return self.in_words.format(**metrics)

    def wrap(self, model: nn.Module, card: dict) -> Any:
        """Return the result of `load`: the model, or the model together with its
        tokenizer or whatever else it needs.
        """
        return model

    def sample(
        self, loaded: Any, options: Any, count: int, seed: int
    ) -> TextSamples | ImageSamples | FilmSamples | SoundSamples:
        """Return samples from the result of `load`.

        Raises:
            ValueError: If the model generates nothing, or an option is out of range.
        """
        raise ValueError(
            f"{self.name} makes nothing that could be sampled: {self.description()}."
        )

    def known_words(self, loaded: Any) -> Sequence[str]:
        """Return the words that a prompt may have; none if it may have any text."""
        return ()

    def known_names(self) -> Sequence[str]:
        """Return the captions of the training images if each is a separate name."""
        return ()

    def description(self) -> str:
        """Return the title as a clause, such as "it is a network that reads digits"."""
        return f"it is {self.title[0].lower()}{self.title[1:]}"


def load_recipe(recipe: Recipe, folder: Path | str | None = None) -> Any:
    """Load the trained model of a recipe, ready to use on the CPU.

    Args:
        folder: The folder that `train` wrote the model to; None for the models that
            come with the package.

    Returns:
        The result of the recipe's `wrap`.

    Raises:
        ValueError: If the file is not the one that its card describes.
        FileNotFoundError: If the model has not been trained there, or the file of its
            tokenizer is missing.
    """
    card = read_card(recipe.name, folder)
    weights = read_weights(card, folder)
    card = card | {"tokenizer": read_tokenizer(card, folder)}
    try:
        model = build(recipe, card)
        model.load_state_dict(weights)
        return recipe.wrap(model.eval(), card)
    except DAMAGED as error:
        raise ValueError(
            f"{recipe.name}.json does not describe the model in its file of weights "
            f"({type(error).__name__}: {error}). Restore both, or make them again with "
            f"`genai-tutorial train {recipe.name}`."
        ) from error


def build(recipe: Recipe, card: dict) -> nn.Module:
    """Return the model that a card describes, without its weights."""
    return _restored(recipe, card["recipe"]).build()


def build_rounded(recipe: Recipe, card: dict, trained: nn.Module) -> nn.Module:
    """Return a trained model with its weights rounded as in its file."""
    model = build(recipe, card)
    model.load_state_dict(rounded_weights(trained))
    return model.eval()


def _restored(settings: Any, saved: Any) -> Any:
    """Return settings with values from JSON, where tuples have become lists and
    dataclasses dictionaries.
    """
    if not is_dataclass(settings):
        return tuple(saved) if isinstance(saved, list) else saved
    known = {field.name for field in fields(settings)} & saved.keys()
    return replace(
        settings,
        **{name: _restored(getattr(settings, name), saved[name]) for name in known},
    )


def draw_items(items: Sequence[Item], n: int, seed: int) -> list[Item]:
    """Draw `n` of the items without replacement."""
    if not 1 <= n <= len(items):
        raise ValueError(f"n must be from 1 to {len(items)}, got {n}.")
    order = torch.randperm(len(items), generator=torch.Generator().manual_seed(seed))
    return [items[place] for place in order[:n].tolist()]


def mean(values: Sequence[float]) -> float:
    """Return the mean, without the exact sums of `fmean`, as cards have it."""
    return sum(values) / len(values)
