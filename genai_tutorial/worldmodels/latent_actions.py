"""Latent actions: the buttons of a world, found in films of it that have no labels.

A network sees two frames and predicts several possible next ones, one for each latent
action. The real next frame makes some of them more probable than others, and each
learns from it in that proportion, as the components of a mixture do. What follows from
the past alone all of them predict alike; what is left for them to differ in is what
somebody has chosen.
"""

from dataclasses import dataclass
from itertools import permutations

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
from genai_tutorial.worldmodels.recording import Recording


class LatentActions(nn.Module):
    """Predicts the next frame, once for each latent action.

    Args:
        actions: The number of latent actions.
        channels: Channels of the hidden layers.
        seed: Decides the first weights.

    Raises:
        ValueError: If there is not at least one action.

    Source: Bruce et al., Genie: Generative Interactive Environments, section 2.1,
        https://arxiv.org/abs/2402.15391, with a sum over all actions in place of an
        encoder with a codebook
    """

    def __init__(self, actions: int = 3, channels: int = 24, seed: int = 0):
        super().__init__()
        if actions < 1:
            raise ValueError(f"There must be at least one action, got {actions}.")
        self.actions = actions
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.features = nn.Sequential(
                nn.Conv2d(2, channels, 5, padding=2),
                nn.SiLU(),
                nn.Conv2d(channels, channels, 5, padding=2),
                nn.SiLU(),
            )
            self.common = nn.Conv2d(channels, 1, 1)
            self.differences = nn.Conv2d(channels, actions, 1)
            nn.init.normal_(self.differences.weight, std=0.02)
            nn.init.zeros_(self.differences.bias)

    def forward(
        self,
        before: Float[Tensor, "batch height width"],
        now: Float[Tensor, "batch height width"],
    ) -> Float[Tensor, "batch action height width"]:
        """Return the logits of the next frame's pixels under each latent action."""
        features = self.features(torch.stack([before, now], dim=1))
        return self.common(features) + self.differences(features)

    def log_likelihoods(
        self, frames: Float[Tensor, "3 batch height width"]
    ) -> Float[Tensor, "batch action"]:
        """Return the log-likelihood of the third frame under each latent action, in
        nats.
        """
        before, now, later = frames
        return _log_likelihoods(self(before, now), later)

    @torch.no_grad()
    def infer(
        self, frames: Float[Tensor, "3 batch height width"]
    ) -> Int[Tensor, "batch"]:
        """Return the latent action that explains the third frame best."""
        return self.log_likelihoods(frames).argmax(dim=1)


def _log_likelihoods(
    logits: Float[Tensor, "batch action height width"],
    later: Float[Tensor, "batch height width"],
) -> Float[Tensor, "batch action"]:
    target = later[:, None].expand_as(logits)
    losses = functional.binary_cross_entropy_with_logits(
        logits, target, reduction="none"
    )
    return -losses.sum(dim=(-1, -2))


def latent_action_loss(
    log_likelihoods: Float[Tensor, "batch action"], temperature: float | int = 1.0
) -> Float[Tensor, ""]:
    r"""Return the negative log-likelihood of a mixture with equal weights, per frame.

    $$-T \log \frac1K \sum_k p(x \mid k)^{1/T}$$

    Its gradient divides each frame among the latent actions by their posterior
    probabilities. At a temperature above 1 these are softer, so that no action takes
    all frames before the others have learned anything (deterministic annealing).

    Args:
        log_likelihoods: For each frame and latent action, in nats.
        temperature: T.

    Raises:
        ValueError: If the temperature is not above 0.

    Source: Ueda and Nakano, Deterministic annealing EM algorithm (1998), equation 11.

    >>> latent_action_loss(torch.tensor([[-1.0, -1.0, -1.0]]))
    tensor(1.)
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature}.")
    count = log_likelihoods.shape[1]
    mixed = torch.logsumexp(log_likelihoods / temperature, dim=1)
    return -temperature * (mixed - torch.tensor(float(count)).log()).mean()
