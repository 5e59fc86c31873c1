"""A network that finds the buttons of a world in films of it that have no labels.

It sees two frames and predicts several possible next ones, one for each latent action.
All of them agree on everything that follows from the past alone. They differ in the
rest, and the rest is mostly what the player has chosen.
"""

from itertools import count

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from genai_tutorial.training import (
    History,
    OptimizerSettings,
    TensorBatches,
    build_optimizer,
    fit,
    warmup_linear,
)
from genai_tutorial.worldmodels import Recording, latent_action_loss

ACTIONS = 3


class LatentActions(nn.Module):
    """Predicts the next frame, once for each latent action.

    The effect of an action depends on the present frame only. If it could depend on the
    frame before as well, "same button as before" and "another button" would explain
    films as well as "left" and "right" do.

    Args:
        seed: Decides the first weights.

    Source: Bruce et al., Genie: Generative Interactive Environments, section 2.1,
        https://arxiv.org/abs/2402.15391, with a sum over all actions in place of an
        encoder with a codebook
    """

    def __init__(self, seed: int = 0):
        super().__init__()
        channels = 16
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.common = nn.Sequential(
                nn.Conv2d(2, channels, 5, padding=2),
                nn.SiLU(),
                nn.Conv2d(channels, channels, 5, padding=2),
                nn.SiLU(),
                nn.Conv2d(channels, 1, 1),
            )
            self.differences = nn.Sequential(
                nn.Conv2d(1, channels, 5, padding=2),
                nn.SiLU(),
                nn.Conv2d(channels, ACTIONS, 1),
            )
            nn.init.normal_(self.differences[-1].weight, std=0.02)
            nn.init.zeros_(self.differences[-1].bias)

    def forward(
        self,
        before: Float[Tensor, "batch height width"],
        now: Float[Tensor, "batch height width"],
    ) -> Float[Tensor, "batch action height width"]:
        """Return the logits of the next frame's pixels under each latent action."""
        return self.without_actions(before, now) + self.differences(now[:, None])

    def without_actions(
        self,
        before: Float[Tensor, "batch height width"],
        now: Float[Tensor, "batch height width"],
    ) -> Float[Tensor, "batch 1 height width"]:
        """Return the logits of the next frame's pixels from the past alone."""
        return self.common(torch.stack([before, now], dim=1))

    @torch.no_grad()
    def infer(
        self, frames: Float[Tensor, "3 batch height width"]
    ) -> Int[Tensor, "batch"]:
        """Return the latent action between the second and the third frame: the one that
        explains the third best.
        """
        before, now, later = frames
        return frame_log_likelihoods(self(before, now), later).argmax(dim=1)


def frame_log_likelihoods(
    logits: Float[Tensor, "batch action height width"],
    frames: Float[Tensor, "batch height width"],
) -> Float[Tensor, "batch action"]:
    """Return the log-likelihood of each frame under each prediction, in nats."""
    losses = functional.binary_cross_entropy_with_logits(
        logits, frames[:, None].expand_as(logits), reduction="none"
    )
    return -losses.sum(dim=(-1, -2))


def temperature_at(step: int, steps: int, common_steps: int) -> float:
    """Return the temperature of a step, which falls from 4 to 1 in the first 60% of the
    steps that are not common.
    """
    passed = min(1.0, max(0, step - common_steps) / (0.6 * (steps - common_steps)))
    return 4.0 ** (1 - passed)


_RATES = OptimizerSettings(
    matrix_lr=0.02, kernel_lr=0.05, embedding_lr=0.01, head_lr=0.003, vector_lr=0.003
)


def train_latent_actions(
    model: LatentActions,
    recording: Recording,
    steps: int = 900,
    common_steps: int = 200,
    *,
    seed: int = 0,
    progress: bool = True,
) -> History:
    """Learn latent actions from films: from a recording's frames, not its actions.

    Args:
        recording: The films. Pieces with an end in them are left out.
        common_steps: The number of steps at the start in which the model predicts from
            the past alone.
        seed: Decides the batches.

    Raises:
        ValueError: If `common_steps` is not from 0 to below `steps`.
    """
    if not 0 <= common_steps < steps:
        raise ValueError(
            f"common_steps must be from 0 to below {steps}, got {common_steps}."
        )
    numbers = count()

    def loss(model: LatentActions, starts: Tensor) -> Tensor:
        before, now, later = recording.windows(starts, 2).frames
        step = next(numbers)
        if step < common_steps:
            logits = model.without_actions(before, now)
            return latent_action_loss(frame_log_likelihoods(logits, later))
        return latent_action_loss(
            frame_log_likelihoods(model(before, now), later),
            temperature_at(step, steps, common_steps),
        )

    return fit(
        model,
        TensorBatches((recording.unbroken_starts(2),), 64, seed),
        loss,
        build_optimizer(model, _RATES),
        steps=steps,
        schedule=warmup_linear(steps, min(20, steps // 2)),
        clip_norm=None,
        progress=progress,
    )
