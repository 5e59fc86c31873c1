"""Advantages: how much better a step turned out than was expected, so that the good
ones are made more probable.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from genai_tutorial.alignment.log_probs import masked_mean


def generalized_advantage_estimate(
    rewards: Float[Tensor, "batch step"],
    values: Float[Tensor, "batch step"],
    mask: Bool[Tensor, "batch step"],
    discount: float | int = 1.0,
    decay: float | int = 0.95,
) -> Float[Tensor, "batch step"]:
    r"""Return each step's advantage; 0 where the mask is False.

    $$\delta_t = r_t + \gamma V_{t+1} - V_t \qquad A_t = \delta_t + \gamma \lambda
    A_{t+1}$$

    With a decay λ of 1, everything that came after a step counts, with all its chance;
    with 0, only what the value model believed one step later.

    Args:
        rewards: What each step brought.
        values: What was expected before each step, of that step and all after it.
        mask: Which steps count: one run in each row. What comes after it is worth
            nothing.
        discount: γ, what a reward is worth one step earlier.
        decay: λ.

    Raises:
        ValueError: If the discount or the decay is not from 0 to 1.

    Source: Schulman et al., High-Dimensional Continuous Control Using Generalized
        Advantage Estimation, equation 16, https://arxiv.org/abs/1506.02438

    >>> rewards, values = (
    ...     torch.tensor([[0.0, 0.0, 1.0]]),
    ...     torch.tensor([[0.5, 0.5, 0.8]]),
    ... )
    >>> generalized_advantage_estimate(
    ...     rewards, values, torch.ones(1, 3).bool(), decay=0
    ... )
    tensor([[0.0000, 0.3000, 0.2000]])
    """
    for name, number in (("discount", discount), ("decay", decay)):
        if not 0 <= number <= 1:
            raise ValueError(f"{name} must be from 0 to 1, got {number}.")
    rewards, values = rewards.masked_fill(~mask, 0.0), values.masked_fill(~mask, 0.0)
    advantages = torch.zeros_like(rewards)
    next_value = next_advantage = rewards.new_zeros(len(rewards))
    for step in reversed(range(rewards.shape[1])):
        surprise = rewards[:, step] + discount * next_value - values[:, step]
        next_value = values[:, step]
        next_advantage = (surprise + discount * decay * next_advantage) * mask[:, step]
        advantages[:, step] = next_advantage
    return advantages


def whiten(
    numbers: Float[Tensor, "batch step"], mask: Bool[Tensor, "batch step"]
) -> Float[Tensor, "batch step"]:
    """Shifts and scales the steps that count to mean 0 and variance 1; the others
    become 0.

    So the same learning rate serves whatever the size of the rewards. Divided by n - 1,
    as in trl.

    Raises:
        ValueError: If fewer than two steps count.

    Source: Huang et al., The N+ Implementation Details of RLHF with PPO,
        https://arxiv.org/abs/2403.17031

    >>> whiten(torch.tensor([[1.0, 3.0, 9.0]]), torch.tensor([[True, True, False]]))
    tensor([[-0.7071,  0.7071,  0.0000]])
    """
    count = int(mask.sum())
    if count < 2:
        raise ValueError(
            f"At least two steps must count to have a variance, got {count}."
        )
    centred = numbers - masked_mean(numbers, mask)
    variance = masked_mean(centred.square(), mask) * count / (count - 1)
    return (centred * (variance + 1e-8).rsqrt()).masked_fill(~mask, 0.0)
