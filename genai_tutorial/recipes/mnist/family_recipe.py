"""What the families of chapter 11 have in common: data, budget, the course of training,
and how they are measured.

Each has about 300,000 weights that are needed to draw. All learn from the grey levels
of 4,000 digits as they are: no labels, and no images turned or moved. Every recipe can
also say how its images are drawn (`images`), and how many bits a pixel of held-out
images costs it (`bits`).
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genai_tutorial.data.levels import to_levels
from genai_tutorial.data.mnist import SOURCE
from genai_tutorial.data.source import Source
from genai_tutorial.metrics import frechet_distance, precision_recall, read_digits
from genai_tutorial.recipes.files import load_recipe
from genai_tutorial.recipes.mnist.classifier import DIGIT_CLASSIFIER, split
from genai_tutorial.recipes.recipe import RunSettings, Trained, Wishes
from genai_tutorial.training import (
    EMA,
    CombinedOptimizer,
    TensorBatches,
    fit,
    warmup_linear,
)

DRAWN = 1000
"""How many images are drawn to measure a model, as many as there are held-out ones to
compare them with.
"""

COMPONENTS = 381
"""How many components give probabilistic PCA about as many numbers as the networks have
weights: 299,489.
"""

SCORED = 16
"""How many held-out images the bits per dimension on a card are the mean of."""


def measure_images(images: Float[Tensor, "n 28 28"]) -> dict[str, float]:
    """Return how images compare with the 1,000 held-out digits, by the features of the
    book's classifier.

    Args:
        images: Brightness from 0 to 1.
    """
    classifier = load_recipe(DIGIT_CLASSIFIER)
    _, held_out = split()
    drawn, real = (
        read_digits(classifier, images).features,
        read_digits(classifier, held_out.images).features,
    )
    found = precision_recall(real, drawn, k=3)
    return {
        "frechet_distance": round(frechet_distance(real, drawn), 3),
        "precision": round(found.precision, 4),
        "recall": round(found.recall, 4),
    }


Levels = Int[Tensor, "n 28 28"]


@dataclass(frozen=True, kw_only=True)
class FamilyRecipe(ABC):
    """What the families have in common.

    Attributes:
        name: What `train` and `load` call it.
        title: What it is, in one line.
        family: Its name in the chapter.
        steps: How many batches it is trained on.
        batch_size: The number of images in a batch.
        warmup_steps: How many steps the learning rates rise for; from there they fall
            in a straight line to zero.
        ema_decay: Decay of the moving average of the weights,
            which is what the file holds.
        seed: Decides the first weights, the batches and the noise.
        published: Whether the package carries the trained model.
    """

    name: str
    title: str
    family: str
    steps: int
    batch_size: int
    warmup_steps: int
    ema_decay: float
    seed: int = 0
    published: bool = False

    source: ClassVar[Source] = SOURCE
    takes: ClassVar[tuple[str, ...]] = ()

    def ready(self, model: nn.Module, about: dict) -> nn.Module:
        """Return the network as it is."""
        return model

    def weights_to_draw(self, model: nn.Module) -> int:
        """Return how many of a model's weights are needed to draw: these are what the
        budget counts.
        """
        return sum(weight.numel() for weight in model.parameters())

    @abstractmethod
    def images(
        self, model: nn.Module, count: int, seed: int
    ) -> Float[Tensor, "count 28 28"]:
        """Draws images of 256 grey levels, brightness from 0 to 1."""

    @abstractmethod
    def bits(self, model: nn.Module, levels: Levels, seed: int) -> float | None:
        """Return the mean bits per dimension of images; None where the family has no
        likelihood.
        """

    def measure(self, model: nn.Module) -> dict:
        """Return how drawn digits compare with held-out ones, and how many bits a
        pixel of these costs.
        """
        _, held_out = split()
        found = measure_images(self.images(model, DRAWN, self.seed)) | {
            "drawn_images": DRAWN
        }
        bits = self.bits(
            model,
            to_levels(held_out.images[:: len(held_out) // SCORED][:SCORED]),
            self.seed,
        )
        return (
            found
            if bits is None
            else found | {"bits_per_dimension": round(bits, 3), "scored_images": SCORED}
        )

    def headline(self, metrics: dict) -> str:
        """Return the Fréchet distance in words."""
        return (
            f"a Fréchet distance of {metrics['frechet_distance']:.1f} from unseen "
            "digits"
        )

    def draw(
        self, loaded: nn.Module, wishes: Wishes, count: int, seed: int
    ) -> Float[Tensor, "count 28 28"]:
        """Return digits, whichever come."""
        return self.images(loaded, count, seed)

    def fit_network(
        self,
        settings: RunSettings,
        model: nn.Module,
        loss: Callable[[nn.Module, Levels, torch.Generator], Float[Tensor, ""]],
        optimizer: torch.optim.Optimizer | CombinedOptimizer,
    ) -> Trained:
        """Trains a network by its loss on batches of grey levels, or goes on with a run
        that was stopped.
        """
        generator = torch.Generator().manual_seed(self.seed)
        average, started = EMA(model, self.ema_decay), time.process_time()
        history = fit(
            model,
            TensorBatches((to_levels(split()[0].images),), self.batch_size, self.seed),
            lambda model, levels: loss(model, levels, generator),
            optimizer,
            steps=settings.steps,
            schedule=warmup_linear(self.steps, self.warmup_steps).over(settings.steps),
            ema=average,
            checkpoint=settings.checkpoint,
            generators=[generator],
            progress=settings.progress,
        )
        return Trained(
            average.model,
            history.seconds,
            {"cpu_seconds": round(time.process_time() - started, 1)},
        )
