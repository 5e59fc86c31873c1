"""The base class of chapter 11's families: the same data, budget, training schedule and
metrics.

Each model has about 300,000 weights that are needed to draw. All learn from the grey
levels of 4,000 digits as they are: no labels and no augmentation. Every recipe also
defines how its images are drawn (`images`), and how many bits per pixel held-out images
cost (`bits`).
"""

import time
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genai_tutorial.data import Source, load_mnist_split, to_levels
from genai_tutorial.data.mnist import SOURCE
from genai_tutorial.metrics import bits_per_dimension
from genai_tutorial.training import CombinedOptimizer, TensorBatches

from ..recipe import Recipe, RunSettings, Trained
from ..spot_check import SpotCheck, draw_items
from .measure import N_EVAL_IMAGES, digits_summary, measure_digits
from .options import FamilyOptions

PPCA_COMPONENTS = 381
"""The number of components with which probabilistic PCA has about as many numbers as
the networks have weights: 299,489.
"""

N_SCORED_IMAGES = 16
"""The number of held-out images whose mean bits per dimension are on a card."""


Levels = Int[Tensor, "n 28 28"]


@dataclass(frozen=True, kw_only=True)
class FamilyRecipe(Recipe):
    """A family of generative models in the comparison of chapter 11.

    Attributes:
        family: Its name in the chapter.
    """

    family: str

    source: ClassVar[Source] = SOURCE
    makes: ClassVar[str] = "images"

    level_width: ClassVar[float] = 1.0
    """The width of a grey level in the units of the likelihood's density; 1 where it is
    a probability.
    """

    @property
    def options(self) -> Any:
        """No options, unless a family overrides this."""
        return FamilyOptions()

    def weights_to_draw(self, model: nn.Module) -> int:
        """Return how many of a model's weights are needed to draw: these are what the
        budget counts.
        """
        return sum(weight.numel() for weight in model.parameters())

    @abstractmethod
    def images(
        self, model: nn.Module, count: int, seed: int
    ) -> Float[Tensor, "count 28 28"]:
        """Draw images of 256 grey levels, brightness from 0 to 1."""

    @abstractmethod
    def log_likelihoods(
        self, model: nn.Module, levels: Levels, seed: int
    ) -> Float[Tensor, "n"] | None:
        """Return the log-likelihood of each image in nats, or a bound on it; None where
        the family has none.
        """

    def bits(self, model: nn.Module, levels: Levels, seed: int) -> float | None:
        """Return the mean bits per dimension of images; None where the family has no
        likelihood.
        """
        nats = self.log_likelihoods(model, levels, seed)
        if nats is None:
            return None
        return bits_per_dimension(nats.sum().item(), levels.numel(), self.level_width)

    def measure(self, model: nn.Module) -> dict:
        """Return how drawn digits compare with held-out ones, and how many bits per
        pixel these cost.
        """
        images = self.images(model, N_EVAL_IMAGES, self.seed)
        metrics = measure_digits(images) | {"drawn_images": N_EVAL_IMAGES}
        bits = self.bits(model, scored_levels(), self.seed)
        if bits is None:
            return metrics
        return metrics | {
            "bits_per_dimension": round(bits, 3),
            "scored_images": N_SCORED_IMAGES,
        }

    def spot_check(self, loaded: nn.Module, n: int, seed: int) -> SpotCheck:
        """Measure the bits per dimension of the scored images."""
        levels = scored_levels()
        sample = levels[draw_items(range(len(levels)), n, seed)]
        nats = self.log_likelihoods(loaded, sample, seed).tolist()
        pixels = levels[0].numel()
        return SpotCheck(
            "bits_per_dimension",
            [bits_per_dimension(image, pixels, self.level_width) for image in nats],
        )

    def summary(self, metrics: dict) -> str:
        """Return the Fréchet distance as a phrase."""
        return digits_summary(metrics, decimals=1)

    def draw(
        self, loaded: nn.Module, options: Any, count: int, seed: int
    ) -> Float[Tensor, "count 28 28"]:
        """Return digits of any class."""
        return self.images(loaded, count, seed)

    def fit_network(
        self,
        run: RunSettings,
        model: nn.Module,
        loss: Callable[[nn.Module, Levels, torch.Generator], Float[Tensor, ""]],
        optimizer: torch.optim.Optimizer | CombinedOptimizer,
    ) -> Trained:
        """Train a network by its loss on batches of grey levels on one process, or
        resume a run that was stopped.
        """
        generator = torch.Generator().manual_seed(self.seed)
        started = time.process_time()
        average, history = run.fit(
            model,
            TensorBatches(
                (to_levels(load_mnist_split()[0].images),), self.batch_size, self.seed
            ),
            lambda model, levels: loss(model, levels, generator),
            optimizer,
            schedule=self.schedule(),
            ema_decay=self.ema_decay,
            generators=[generator],
        )
        return Trained(average, history.seconds, cpu_seconds_since(started))


def scored_levels() -> Levels:
    """Return the held-out images whose bits per dimension are on a card."""
    _, held_out = load_mnist_split()
    every = len(held_out) // N_SCORED_IMAGES
    return to_levels(held_out.images[::every][:N_SCORED_IMAGES])


def cpu_seconds_since(started: float) -> dict[str, float]:
    """Return the note about the cost of training on a family's card."""
    return {"cpu_seconds": round(time.process_time() - started, 1)}
