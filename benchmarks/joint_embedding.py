"""Joint-embedding prediction: predict the next frame's features, not its pixels.

A model without a decoder need not explain every pixel. But there is a trivial solution:
if the encoder gives the same features to every frame, all predictions are right
(representation collapse). To prevent it, the target is not trained: it comes from a
moving average of the encoder, or from the encoder itself without a gradient.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from genai_tutorial.training import (
    EMA,
    TensorBatches,
    build_optimizer,
    fit,
    warmup_linear,
)
from genai_tutorial.worldmodels import RATES, Recording

TARGETS = ("trained", "stopped", "average")
"""Where the features to predict come from: the encoder, trained like the prediction;
the encoder without a gradient; a moving average of the encoder.
"""


class JointEmbedding(nn.Module):
    """An encoder of two frames in a row, and a predictor of the features that follow an
    action.

    Args:
        frame: The shape of a frame.
        width: Width of the hidden layers.
        seed: Decides the first weights.

    Source: LeCun, A Path Towards Autonomous Machine Intelligence, section 4.4,
        https://openreview.net/forum?id=BZ5a1r-kVsf
    """

    def __init__(
        self,
        frame: tuple[int, ...] = (16, 16),
        actions: int = 3,
        features: int = 32,
        width: int = 128,
        seed: int = 0,
    ):
        super().__init__()
        self.actions = actions
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.encoder = _network(2 * torch.Size(frame).numel(), width, features)
            self.predictor = _network(features + actions, width, features)

    def encode(
        self, before: Float[Tensor, "batch *frame"], now: Float[Tensor, "batch *frame"]
    ) -> Float[Tensor, "batch feature"]:
        """Return the features of two frames in a row."""
        return self.encoder(torch.cat([before.flatten(1), now.flatten(1)], dim=1))

    def predict(
        self, features: Float[Tensor, "batch feature"], actions: Int[Tensor, "batch"]
    ) -> Float[Tensor, "batch feature"]:
        """Return the features that are expected one step later."""
        pressed = functional.one_hot(actions, self.actions).to(features)
        return self.predictor(torch.cat([features, pressed], dim=1))


def _network(inputs: int, width: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, width),
        nn.SiLU(),
        nn.Linear(width, width),
        nn.SiLU(),
        nn.Linear(width, outputs),
    )


def joint_embedding_loss(
    model: JointEmbedding,
    frames: Float[Tensor, "3 batch *frame"],
    actions: Int[Tensor, "batch"],
    target: Float[Tensor, "batch feature"] | None = None,
) -> Float[Tensor, ""]:
    """Return the mean squared error of the predicted features."""
    before, now, later = frames
    predicted = model.predict(model.encode(before, now), actions)
    if target is None:
        target = model.encode(now, later)
    return (predicted - target).square().mean()


@dataclass(frozen=True)
class EmbeddingTraining:
    """Settings for training a joint-embedding model.

    Attributes:
        target: One of `TARGETS`.

    Raises:
        ValueError: If the target is unknown.
    """

    target: str = "average"
    steps: int = 250
    batch_size: int = 256
    average_decay: float = 0.98

    def __post_init__(self):
        if self.target not in TARGETS:
            raise ValueError(
                f"target must be one of {', '.join(TARGETS)}; got {self.target!r}."
            )


@dataclass(frozen=True)
class EmbeddingHistory:
    """The training of a joint-embedding model, step by step.

    Attributes:
        losses: The mean squared error of the predicted features.
        spreads: The standard deviation of the features to predict over a batch,
            averaged over the features: zero where the model has collapsed.
    """

    losses: list[float]
    spreads: list[float]


def train_joint_embedding(
    model: JointEmbedding,
    recording: Recording,
    settings: EmbeddingTraining | None = None,
    *,
    seed: int = 0,
    progress: bool = True,
) -> EmbeddingHistory:
    """Train a model on real steps.

    Args:
        recording: The steps to learn from; pieces with an end in them are left out.
        settings: The settings; None for the defaults.
        seed: Decides the batches.
    """
    settings = settings or EmbeddingTraining()
    average, spreads = EMA(model, settings.average_decay), []

    def loss(model: JointEmbedding, starts: Tensor) -> Tensor:
        windows = recording.windows(starts, 2)
        teacher = average.model if settings.target == "average" else model
        with torch.no_grad():
            target = teacher.encode(*windows.frames[1:])
        spreads.append(float(target.std(dim=0).mean()))
        return joint_embedding_loss(
            model,
            windows.frames,
            windows.actions[1],
            None if settings.target == "trained" else target,
        )

    history = fit(
        model,
        TensorBatches((recording.unbroken_starts(2),), settings.batch_size, seed),
        loss,
        build_optimizer(model, RATES),
        steps=settings.steps,
        schedule=warmup_linear(settings.steps, min(20, settings.steps // 2)),
        clip_norm=None,
        ema=average,
        progress=progress,
    )
    return EmbeddingHistory(history.losses, spreads)


def effective_rank(features: Float[Tensor, "n feature"]) -> float:
    r"""Return how many directions the features vary in: e to the power of the entropy
    of the shares of their variance along the principal axes. It is 1 where all features
    lie on one line.

    Source: Roy and Vetterli, The effective rank: a measure of effective dimensionality
        (2007), with variances in place of singular values.

    >>> effective_rank(torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]))
    2.0
    """
    centred = (features - features.mean(dim=0)).double()
    variances = torch.linalg.svdvals(centred).square()
    shares = variances / variances.sum().clamp(min=1e-300)
    entropy = -torch.special.xlogy(shares, shares).sum()
    return round(float(entropy.exp()), 6)
