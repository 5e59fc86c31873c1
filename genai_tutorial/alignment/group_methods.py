"""GRPO and three variants: how a group of answers becomes advantages, and how these
become a loss.

All four compare the answers to one prompt with each other. They differ in the baseline,
in what divides the sum over tokens, and in where the ratio is clipped.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from .grpo import group_relative_advantages, grpo_loss
from .log_probs import masked_mean, masked_sum

Advantages = Float[Tensor, "prompt answer"]
StepNumbers = Float[Tensor, "batch step"]

CLIP = 0.2
"""The relative change of a probability at which its gradient is cut."""

CLIP_HIGH = 0.28
"""The same for a rise, in DAPO."""


@runtime_checkable
class GroupMethod(Protocol):
    """A way to learn from groups of answers: advantages and a loss."""

    def advantages(self, scores: Advantages) -> Advantages:
        """Return the advantage of each answer in its group."""

    def loss(
        self,
        log_probs: StepNumbers,
        old_log_probs: StepNumbers,
        advantages: Float[Tensor, "batch"],
        mask: Bool[Tensor, "batch step"],
    ) -> Float[Tensor, ""]:
        """Return the loss, from the policy's log-probabilities of the sampled tokens
        and those of the policy that wrote them.
        """


def centred_advantages(scores: Advantages) -> Advantages:
    """Return by how much each answer's score is above the mean of its group; Dr. GRPO's
    advantages.

    Source: Liu et al., Understanding R1-Zero-Like Training, section 3.2,
        https://arxiv.org/abs/2503.20783
    """
    return scores - scores.mean(dim=1, keepdim=True)


def leave_one_out_advantages(scores: Advantages) -> Advantages:
    """Return by how much each answer's score is above the mean of the others in its
    group; RLOO's advantages.

    Source: Kool et al., Buy 4 REINFORCE Samples, Get a Baseline for Free!,
        https://openreview.net/forum?id=r1lgTGL5DE; Ahmadian et al., Back to Basics,
        https://arxiv.org/abs/2402.14740
    """
    count = scores.shape[1]
    if count < 2:
        raise ValueError(
            f"An answer is compared with others in its group, got a group of {count}."
        )
    return centred_advantages(scores) * count / (count - 1)


def clipped_gain(
    log_probs: StepNumbers,
    old_log_probs: StepNumbers,
    advantages: Float[Tensor, "batch"],
    clip_low: float | int,
    clip_high: float | int,
) -> StepNumbers:
    """Return PPO's clipped objective of each step, with a limit for each side.

    Source: Yu et al., DAPO, section 3.1, https://arxiv.org/abs/2503.14476
    """
    ratio = (log_probs - old_log_probs).exp()
    clipped = ratio.clamp(1 - clip_low, 1 + clip_high)
    return torch.minimum(ratio * advantages[:, None], clipped * advantages[:, None])


@dataclass(frozen=True)
class GRPO:
    """Group-relative policy optimization without a KL penalty: scores in standard
    deviations, the mean over each answer's tokens, then the mean over answers.
    """

    def advantages(self, scores: Advantages) -> Advantages:
        """Return `group_relative_advantages`."""
        return group_relative_advantages(scores)

    def loss(
        self,
        log_probs: StepNumbers,
        old_log_probs: StepNumbers,
        advantages: Float[Tensor, "batch"],
        mask: Bool[Tensor, "batch step"],
    ) -> Float[Tensor, ""]:
        """Return `grpo_loss` with a KL coefficient of 0."""
        return grpo_loss(
            log_probs, old_log_probs, log_probs, advantages, mask, CLIP, 0.0
        )


@dataclass(frozen=True)
class DrGRPO:
    """GRPO done right: no division by the standard deviation, and the same divisor for
    every answer, whatever its length.

    GRPO's mean over an answer's tokens makes each token of a long wrong answer count
    less than one of a short wrong answer, so wrong answers become longer.

    Attributes:
        max_tokens: The divisor: the number of tokens that an answer may have.

    Source: Liu et al., Understanding R1-Zero-Like Training, section 3.2,
        https://arxiv.org/abs/2503.20783
    """

    max_tokens: int

    def advantages(self, scores: Advantages) -> Advantages:
        """Return `centred_advantages`."""
        return centred_advantages(scores)

    def loss(
        self,
        log_probs: StepNumbers,
        old_log_probs: StepNumbers,
        advantages: Float[Tensor, "batch"],
        mask: Bool[Tensor, "batch step"],
    ) -> Float[Tensor, ""]:
        """Return minus the sum of the clipped objective per answer, divided by
        `max_tokens`.
        """
        gain = clipped_gain(log_probs, old_log_probs, advantages, CLIP, CLIP)
        return -masked_sum(gain, mask).mean() / self.max_tokens


@dataclass(frozen=True)
class DAPO:
    """The loss of DAPO: the mean over all tokens of the batch, and a higher limit for
    probabilities that rise. Its dynamic sampling is a setting of `learn_by_grpo`.

    Source: Yu et al., DAPO, equation 8, https://arxiv.org/abs/2503.14476
    """

    def advantages(self, scores: Advantages) -> Advantages:
        """Return `group_relative_advantages`."""
        return group_relative_advantages(scores)

    def loss(
        self,
        log_probs: StepNumbers,
        old_log_probs: StepNumbers,
        advantages: Float[Tensor, "batch"],
        mask: Bool[Tensor, "batch step"],
    ) -> Float[Tensor, ""]:
        """Return minus the mean of the clipped objective over all tokens."""
        gain = clipped_gain(log_probs, old_log_probs, advantages, CLIP, CLIP_high)
        return -masked_mean(gain, mask)


@dataclass(frozen=True)
class RLOO:
    """REINFORCE with a leave-one-out baseline: a whole answer is one action, with one
    probability ratio.

    Source: Ahmadian et al., Back to Basics, https://arxiv.org/abs/2402.14740
    """

    def advantages(self, scores: Advantages) -> Advantages:
        """Return `leave_one_out_advantages`."""
        return leave_one_out_advantages(scores)

    def loss(
        self,
        log_probs: StepNumbers,
        old_log_probs: StepNumbers,
        advantages: Float[Tensor, "batch"],
        mask: Bool[Tensor, "batch step"],
    ) -> Float[Tensor, ""]:
        """Return minus the mean of the clipped objective over answers."""
        whole, old = (
            masked_sum(numbers, mask)[:, None] for numbers in (log_probs, old_log_probs)
        )
        return -clipped_gain(whole, old, advantages, CLIP, CLIP).mean()
