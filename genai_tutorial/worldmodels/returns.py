"""λ-returns: the value of a state, from rewards and predicted values."""

import torch
from jaxtyping import Float
from torch import Tensor


def lambda_returns(
    rewards: Float[Tensor, "step *batch"],
    values: Float[Tensor, "step_and_last *batch"],
    continues: Float[Tensor, "step *batch"],
    discount: float | int = 0.97,
    decay: float | int = 0.95,
) -> Float[Tensor, "step *batch"]:
    r"""Return the λ-return of each step: a weighted mean of all n-step returns, each of
    which adds up n rewards and a predicted value for the rest.

    $$G_t = r_t + \gamma c_t \left((1 - \lambda) V_{t+1} + \lambda G_{t+1}\right),
    \qquad G_T = V_T$$

    With λ = 0 only the next value counts, with λ = 1 all rewards up to the last step.
    `generalized_advantage_estimate` of the alignment room is this return minus the
    value.

    Args:
        values: The predicted sum of rewards from each step on, and from the state after
            the last step.
        continues: The probability that the episode continues after each step, 0 where
            it ended.
        discount: γ, the discount of a reward per step.
        decay: λ.

    Raises:
        ValueError: If there is not one value more than rewards, or the discount or the
            decay is not from 0 to 1.

    Source: Hafner et al., Mastering Diverse Domains through World Models, section
        Critic Learning, https://arxiv.org/abs/2301.04104

    >>> rewards, values = torch.tensor([0.0, 1.0]), torch.tensor([0.5, 0.5, 2.0])
    >>> lambda_returns(rewards, values, torch.ones(2), discount=0.5, decay=1)
    tensor([1., 2.])
    >>> lambda_returns(rewards, values, torch.tensor([1.0, 0.0]), discount=0.5, decay=1)
    tensor([0.5000, 1.0000])
    """
    for name, number in (("discount", discount), ("decay", decay)):
        if not 0 <= number <= 1:
            raise ValueError(f"{name} must be from 0 to 1, got {number}.")
    if len(values) != len(rewards) + 1:
        raise ValueError(
            f"{len(rewards)} steps need {len(rewards) + 1} values, one of them for the "
            f"state after the last step; got {len(values)}."
        )
    returns = torch.empty_like(rewards)
    later = values[-1]
    for step in reversed(range(len(rewards))):
        later = (1 - decay) * values[step + 1] + decay * later
        later = rewards[step] + discount * continues[step] * later
        returns[step] = later
    return returns


class ReturnScale:
    """The range of the returns, by which advantages are divided, so that one weight of
    the entropy suits every world.

    The range is from the 5% to the 95% quantile, so that a few outliers do not decide
    it, and a running mean over the updates. It is never below `smallest`, so that noise
    is not amplified where all returns are almost equal.

    Args:
        decay: Decay of the running mean.

    Source: Hafner et al., Mastering Diverse Domains through World Models, section
        Actor Learning, https://arxiv.org/abs/2301.04104

    >>> scale = ReturnScale(decay=0.0)
    >>> scale.update(torch.arange(101.0))
    90.0
    """

    def __init__(self, decay: float = 0.95, smallest: float = 0.3):
        self.decay, self.smallest = decay, smallest
        self.value: float | None = None

    def update(self, returns: Float[Tensor, "*batch"]) -> float:
        """Include new returns, and return the scale."""
        low, high = returns.flatten().quantile(returns.new_tensor([0.05, 0.95]))
        spread = max(float(high - low), self.smallest)
        old = spread if self.value is None else self.value
        self.value = self.decay * old + (1 - self.decay) * spread
        return self.value
