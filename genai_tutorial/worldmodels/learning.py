"""The training of a world model from a recording."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from genai_tutorial.alignment import masked_mean
from genai_tutorial.training import (
    Checkpoint,
    History,
    OptimizerSettings,
    Schedule,
    TensorBatches,
    build_optimizer,
    fit,
)

from .model import WorldModel, categorical_kl, straight_through_sample
from .world import Recording, Windows

# The weights of the parts of the loss, from Hafner et al., Mastering Diverse Domains
# through World Models, section "World model learning", https://arxiv.org/abs/2301.04104
DYNAMICS_WEIGHT = 1.0  # of the divergence that moves the prediction towards the codes
REPRESENTATION_WEIGHT = 0.1  # of the same one, that makes the codes easier to predict
FREE_NATS = 0.1  # per frame; below, the divergence has no gradient
REWARD_WEIGHT = 3.0  # rewards and ends are rare
END_WEIGHT = 3.0


@dataclass(frozen=True)
class WorldModelLoss:
    """The loss of a batch of windows and its parts, in nats per frame or step.

    Attributes:
        total: The weighted sum, to minimize.
        reconstruction: Cross-entropy of the pixels.
        surprise: Divergence of the predicted from the actual codes.
        reward: Cross-entropy of the rewards.
        end: Cross-entropy of the ends.
    """

    total: Float[Tensor, ""]
    reconstruction: Float[Tensor, ""]
    surprise: Float[Tensor, ""]
    reward: Float[Tensor, ""]
    end: Float[Tensor, ""]


def world_model_loss(
    model: WorldModel, windows: Windows, generator: torch.Generator | None = None
) -> WorldModelLoss:
    """Return the loss of a model on a batch of windows, with codes that the generator
    draws.

    Rewards count by their sign only. Steps after the first end of a window belong to
    another episode and are left out.
    """
    frames = windows.frames.flatten(end_dim=1)
    probabilities = model.encode(frames)
    codes = straight_through_sample(probabilities, generator).flatten(start_dim=1)
    reconstruction = F.binary_cross_entropy_with_logits(
        model.decoder(codes), frames, reduction="none"
    )
    shape = windows.frames.shape[:2]
    memories = model.read(codes.unflatten(0, shape)[:-1], windows.actions)
    expected = model.predict(memories)
    actual = probabilities.unflatten(0, shape)[1:]
    predicted = F.softmax(expected.codes, dim=-1).clamp(min=1e-8)
    surprise, pull = (
        masked_mean(categorical_kl(p, q).clamp(min=FREE_NATS), windows.continues)
        for p, q in ((actual.detach(), predicted), (actual, predicted.detach()))
    )
    reward = F.cross_entropy(
        expected.rewards.flatten(end_dim=1),
        windows.rewards.sign().long().flatten() + 1,
        reduction="none",
    ).unflatten(0, windows.actions.shape)
    end = F.binary_cross_entropy_with_logits(
        expected.end, windows.terminated.float(), reduction="none"
    )
    per_frame = reconstruction.flatten(start_dim=1).sum(dim=1).mean()
    reward, end = (masked_mean(part, windows.alive) for part in (reward, end))
    total = (
        per_frame
        + DYNAMICS_WEIGHT * surprise
        + REPRESENTATION_WEIGHT * pull
        + REWARD_WEIGHT * reward
        + END_WEIGHT * end
    )
    return WorldModelLoss(total, per_frame, surprise, reward, end)


RATES = OptimizerSettings(
    matrix_lr=0.02, embedding_lr=0.01, head_lr=0.003, vector_lr=0.003
)
"""Learning rates that suit the book's small world models."""


@dataclass(frozen=True)
class WorldModelTraining:
    """The settings of the training of a world model.

    Attributes:
        length: The number of actions in a window.
        warmup_steps: The length of the warmup of the learning rates.
        final_factor: The factor of the learning rates at the end of their decay.
        optimizer: The learning rates.
    """

    steps: int = 1000
    batch_size: int = 48
    length: int = 16
    warmup_steps: int = 20
    final_factor: float = 0.05
    optimizer: OptimizerSettings = RATES


def train_world_model(
    model: WorldModel,
    recording: Recording,
    settings: WorldModelTraining | None = None,
    *,
    seed: int = 0,
    checkpoint: Checkpoint | None = None,
    progress: bool = True,
) -> History:
    """Train a world model, on the CPU, on windows of a recording.

    Args:
        settings: The settings; None for the defaults.
        seed: Decides the order of the windows and the codes that are drawn.
        checkpoint: The file that the run is saved to and resumed from; None for no
            file.
    """
    settings = settings or WorldModelTraining()
    generator = torch.Generator().manual_seed(seed)

    def loss(model: WorldModel, starts: Tensor) -> Tensor:
        windows = recording.windows(starts, settings.length)
        return world_model_loss(model, windows, generator).total

    starts = recording.window_starts(settings.length)
    steps, warmup = settings.steps, min(settings.warmup_steps, settings.steps // 2)
    return fit(
        model,
        TensorBatches((starts,), settings.batch_size, seed),
        loss,
        build_optimizer(model, settings.optimizer),
        steps=steps,
        schedule=Schedule(steps, warmup, "linear", None, settings.final_factor),
        clip_norm=10.0,
        checkpoint=checkpoint,
        generators=[generator],
        progress=progress,
    )
