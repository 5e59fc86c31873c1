"""GRPO and five variants: PPO without a value model. The baseline of an answer comes
from several answers to the same prompt; the methods differ in the baseline, in what
divides the sum over tokens, and in which ratio is clipped, and where.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from .experience import kl_k3
from .ppo import clipped_objective
from .supervised import masked_mean, masked_sum

EPSILON = 1e-4
"""TRL's default. It avoids a division by zero where all answers score the same."""


def group_relative_advantages(
    scores: Float[Tensor, "prompt answer"],
) -> Float[Tensor, "prompt answer"]:
    """Return how many standard deviations each answer's score lies above the mean of
    its prompt's group; zero where all answers score the same.

    `EPSILON` has the unit of the scores: if these differ by less than about a hundred
    times it, the advantages become noticeably smaller.

    Source: Shao et al., DeepSeekMath, section 4.1.2, https://arxiv.org/abs/2402.03300

    >>> group_relative_advantages(
    ...     torch.tensor([[1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]])
    ... )
    tensor([[ 1.4997, -0.4999, -0.4999, -0.4999],
            [ 0.0000,  0.0000,  0.0000,  0.0000]])
    """
    centred = scores - scores.mean(dim=1, keepdim=True)
    return centred / (scores.std(dim=1, keepdim=True) + EPSILON)


def grpo_loss(
    log_probs: Float[Tensor, "batch step"],
    old_log_probs: Float[Tensor, "batch step"],
    reference_log_probs: Float[Tensor, "batch step"],
    advantages: Float[Tensor, "batch"],
    mask: Bool[Tensor, "batch step"],
    clip: float | int,
    kl_weight: float | int,
) -> Float[Tensor, ""]:
    """Return GRPO's loss: minus the clipped objective plus the KL penalty, averaged
    over each answer's steps and then over answers.

    As in the paper, k3 is part of the loss. Its gradient is not an unbiased estimate of
    the gradient of the KL divergence: https://arxiv.org/abs/2506.09477.

    Args:
        log_probs: The policy's log-probabilities of the sampled tokens.
        old_log_probs: Those of the policy that wrote the answers.
        mask: The steps that chose a token of the answer.
        clip: As in `clipped_objective`.
        kl_weight: The KL coefficient, per nat of each token's KL divergence (k3).

    Raises:
        ValueError: If a row has no answer.

    Source: Shao et al., DeepSeekMath, equations 3 and 4,
    https://arxiv.org/abs/2402.03300
    """
    if not mask.any(dim=1).all():
        raise ValueError(
            "Each row needs an answer of at least one step; a row of the mask is all "
            "False."
        )
    ratio = (log_probs - old_log_probs).exp()
    gain = clipped_objective(ratio, advantages[:, None], clip)
    gain = gain - kl_weight * kl_k3(log_probs, reference_log_probs)
    return -(masked_sum(gain, mask) / mask.sum(dim=1)).mean()


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
        """Return the loss, from the log-probabilities of the sampled tokens under the
        policy and under the policy that wrote them.
        """


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


class _GroupRelative:
    """Scores in standard deviations of their group."""

    def advantages(self, scores: Advantages) -> Advantages:
        """Return `group_relative_advantages`."""
        return group_relative_advantages(scores)


@dataclass(frozen=True)
class GRPO(_GroupRelative):
    """Group-relative policy optimization without a KL penalty: scores in standard
    deviations, the mean over each answer's tokens, then the mean over answers.
    """

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

    GRPO's mean over an answer's tokens makes each token of a long incorrect answer
    count less than one of a short incorrect answer, so incorrect answers become longer.

    Attributes:
        max_tokens: The divisor: the number of tokens that an answer may have.

    Source: Liu et al., Understanding R1-Zero-Like Training, section 3.2,
        https://arxiv.org/abs/2503.20783
    """

    max_tokens: int

    def advantages(self, scores: Advantages) -> Advantages:
        """Return by how much each score is above the mean of its group."""
        return scores - scores.mean(dim=1, keepdim=True)

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
class DAPO(_GroupRelative):
    """The loss of DAPO: the mean over all tokens of the batch, and a higher limit for
    probabilities that rise. Its dynamic sampling is a setting of `learn_by_grpo`.

    Source: Yu et al., DAPO, equation 8, https://arxiv.org/abs/2503.14476
    """

    def loss(
        self,
        log_probs: StepNumbers,
        old_log_probs: StepNumbers,
        advantages: Float[Tensor, "batch"],
        mask: Bool[Tensor, "batch step"],
    ) -> Float[Tensor, ""]:
        """Return minus the mean of the clipped objective over all tokens."""
        gain = clipped_gain(log_probs, old_log_probs, advantages, CLIP, CLIP_HIGH)
        return -masked_mean(gain, mask)


@dataclass(frozen=True)
class RLOO:
    """REINFORCE with a leave-one-out baseline: a whole answer is one action, with one
    probability ratio.

    Source: Ahmadian et al., Back to Basics, https://arxiv.org/abs/2402.14740
    """

    def advantages(self, scores: Advantages) -> Advantages:
        """Return by how much each score is above the mean of the others in its group.

        Source: Kool et al., Buy 4 REINFORCE Samples, Get a Baseline for Free!,
            https://openreview.net/forum?id=r1lgTGL5DE
        """
        count = scores.shape[1]
        return (scores - scores.mean(dim=1, keepdim=True)) * count / (count - 1)

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


@dataclass(frozen=True)
class GSPO(_GroupRelative):
    """Group sequence policy optimization: GRPO's advantages with one ratio per answer,
    the geometric mean of its tokens' ratios.

    Where the policy has not changed since it sampled, the gradient is GRPO's.

    Attributes:
        clip_low: By how much the ratio may fall, relative to 1. The paper's limits suit
            answers of thousands of tokens.
        clip_high: By how much it may rise.

    Source: Zheng et al., Group Sequence Policy Optimization, equations 5 and 7, and
        section 5.1, https://arxiv.org/abs/2507.18071
    """

    clip_low: float = 3e-4
    clip_high: float = 4e-4

    def loss(
        self,
        log_probs: StepNumbers,
        old_log_probs: StepNumbers,
        advantages: Float[Tensor, "batch"],
        mask: Bool[Tensor, "batch step"],
    ) -> Float[Tensor, ""]:
        """Return minus the mean of the clipped objective over answers."""
        mean, old = (
            (masked_sum(numbers, mask) / mask.sum(dim=1))[:, None]
            for numbers in (log_probs, old_log_probs)
        )
        return -clipped_gain(
            mean, old, advantages, self.clip_low, self.clip_high
        ).mean()


@dataclass(frozen=True)
class CISPO(_GroupRelative):
    """Clipped importance sampling: GRPO's advantages times a ratio that is cut above
    but never stops a token's gradient, averaged over all tokens of the batch.

    Where the policy has not changed since it sampled, the gradient is DAPO's.

    Attributes:
        max_ratio: The largest ratio. The paper tunes it; this is TRL's.

    Source: MiniMax-M1, equations 4 and 5, https://arxiv.org/abs/2506.13585
    """

    max_ratio: float = 5.0

    def loss(
        self,
        log_probs: StepNumbers,
        old_log_probs: StepNumbers,
        advantages: Float[Tensor, "batch"],
        mask: Bool[Tensor, "batch step"],
    ) -> Float[Tensor, ""]:
        """Return minus the mean over tokens of the weighted log-probability."""
        ratio = (log_probs - old_log_probs).exp().clamp(max=self.max_ratio).detach()
        return -masked_mean(ratio * advantages[:, None] * log_probs, mask)
