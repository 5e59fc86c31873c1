"""Group-relative policy optimization: PPO without a value model. The baseline of an
answer is the mean score of several answers to the same prompt.

It suits verifiable rewards, such as whether an answer is right, which a program checks
once, at the end.
"""

from jaxtyping import Bool, Float
from torch import Tensor

from .log_probs import kl_k3, masked_sum
from .ppo import clipped_objective

EPSILON = 1e-4
"""TRL's default. It avoids a division by zero where all answers score the same."""


def group_relative_advantages(
    scores: Float[Tensor, "prompt answer"],
) -> Float[Tensor, "prompt answer"]:
    """Return how many standard deviations each answer's score lies above the mean of
    its prompt's group.

    Where all answers score the same, the advantages are zero.

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
