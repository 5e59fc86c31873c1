"""How far a model has moved from where it started, and what that costs it.

A reward model is right only near the answers that it was trained on. A price on the
distance keeps the policy there.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def kl_k1(
    log_probs: Float[Tensor, "*step"], reference_log_probs: Float[Tensor, "*step"]
) -> Float[Tensor, "*step"]:
    """Estimates KL(policy || reference) from a token that the policy drew, by the
    difference of the logarithms.

    Right on average; a single one is often negative.

    Args:
        log_probs: The policy's log-probability of the token.
        reference_log_probs: The reference's.

    Source: Schulman, Approximating KL Divergence, http://joschu.net/blog/kl-approx.html
    """
    return log_probs - reference_log_probs


def kl_k3(
    log_probs: Float[Tensor, "*step"], reference_log_probs: Float[Tensor, "*step"]
) -> Float[Tensor, "*step"]:
    """Estimates KL(policy || reference) from a token that the policy drew, by q/p - 1 -
    log(q/p).

    What is added to k1, q/p - 1, is 0 on average, and makes every single estimate
    positive.

    Args:
        log_probs: The policy's log-probability of the token, log p.
        reference_log_probs: The reference's, log q.

    Source: Schulman, Approximating KL Divergence, http://joschu.net/blog/kl-approx.html

    >>> kl_k3(torch.tensor(0.5).log(), torch.tensor(0.25).log())
    tensor(0.1931)
    """
    log_ratio = reference_log_probs - log_probs
    return log_ratio.exp() - 1 - log_ratio


def token_rewards(
    scores: Float[Tensor, "batch"],
    kl: Float[Tensor, "batch step"],
    mask: Bool[Tensor, "batch step"],
    kl_weight: float | int,
) -> Float[Tensor, "batch step"]:
    """Return each step's reward: the price of its KL, and at the end of the answer its
    score.

    Args:
        scores: What each answer is worth.
        kl: How far each step is from the reference.
        mask: Which steps chose a token of the answer.
        kl_weight: The price of one nat.

    Raises:
        ValueError: If a row has no answer.

    Source: Ziegler et al., Fine-Tuning Language Models from Human Preferences, equation
        2, https://arxiv.org/abs/1909.08593

    >>> kl, mask = torch.tensor([[9.0, 0.5, 0.5]]), torch.tensor([[False, True, True]])
    >>> token_rewards(torch.tensor([1.0]), kl, mask, kl_weight=0.2)
    tensor([[ 0.0000, -0.1000,  0.9000]])
    """
    if not mask.any(dim=1).all():
        raise ValueError(
            "Each row needs an answer of at least one step to be rewarded for; a mask "
            "is False throughout."
        )
    rewards = (-kl_weight * kl).masked_fill(~mask, 0.0)
    last = (mask * torch.arange(mask.shape[1], device=mask.device)).argmax(dim=1)
    return rewards.scatter_add(1, last[:, None], scores[:, None])


def adapted_kl_weight(
    kl_weight: float | int,
    kl: float | int,
    target: float | int,
    rate: float | int = 0.1,
) -> float:
    """Return the next price of KL: higher where the policy has gone too far, lower
    where it could go further.

    Args:
        kl_weight: The price until now.
        kl: How far the answers of the last batch were from the reference on average, in
            nats an answer.
        target: How far they may be.
        rate: How fast the price follows; one step changes it by at most a fifth of
            this.

    Raises:
        ValueError: If the target is not positive.

    Source: Ziegler et al., Fine-Tuning Language Models from Human Preferences, section
        2.2, https://arxiv.org/abs/1909.08593

    >>> (
    ...     adapted_kl_weight(1.0, kl=12.0, target=6.0),
    ...     adapted_kl_weight(1.0, kl=6.0, target=6.0),
    ... )
    (1.02, 1.0)
    """
    if not target > 0:
        raise ValueError(f"target must be above 0 nats, got {target}.")
    error = min(max((kl - target) / target, -0.2), 0.2)
    return kl_weight * (1 + rate * error)
