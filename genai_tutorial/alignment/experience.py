"""Experience for PPO: scored answers with the reward, the predicted value and the
advantage of each step. A KL penalty in the reward keeps the policy near the reference.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from genai_tutorial.generation import Rollouts

from .supervised import masked_mean, masked_sum, token_log_probs


def kl_k1(
    log_probs: Float[Tensor, "*step"], reference_log_probs: Float[Tensor, "*step"]
) -> Float[Tensor, "*step"]:
    """Estimate KL(policy || reference) from a token sampled by the policy, by the
    difference of the log-probabilities.

    Source: Schulman, Approximating KL Divergence, http://joschu.net/blog/kl-approx.html
    """
    return log_probs - reference_log_probs


def kl_k3(
    log_probs: Float[Tensor, "*step"], reference_log_probs: Float[Tensor, "*step"]
) -> Float[Tensor, "*step"]:
    """Estimate KL(policy || reference) from a token sampled by the policy, by q/p - 1 -
    log(q/p).

    Source: Schulman, Approximating KL Divergence, http://joschu.net/blog/kl-approx.html
    """
    log_ratio = reference_log_probs - log_probs
    return log_ratio.exp() - 1 - log_ratio


def entropy(logits: Float[Tensor, "*batch vocab"]) -> Float[Tensor, "*batch"]:
    """Return the entropy of each step, in nats: 0 if one token is certain, ln V if all
    V are equally probable.

    >>> entropy(torch.zeros(8))
    tensor(2.0794)
    """
    log_probs = logits.log_softmax(dim=-1)
    return -(log_probs.exp() * log_probs).sum(dim=-1)


def token_rewards(
    scores: Float[Tensor, "batch"],
    kl: Float[Tensor, "batch step"],
    mask: Bool[Tensor, "batch step"],
    kl_weight: float | int,
) -> Float[Tensor, "batch step"]:
    """Return each step's reward: minus its KL penalty, and at the last step of the
    answer plus the score.

    Args:
        kl: The KL divergence of each step from the reference.
        mask: The steps that chose a token of the answer.

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
            "Each row needs an answer of at least one step; a row of the mask is all "
            "False."
        )
    rewards = (-kl_weight * kl).masked_fill(~mask, 0.0)
    last = (mask * torch.arange(mask.shape[1], device=mask.device)).argmax(dim=1)
    return rewards.scatter_add(1, last[:, None], scores[:, None])


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

    With a decay λ of 1, all later rewards count, with all their noise; with 0, only the
    value model's prediction one step later.

    Args:
        values: The predicted sum of rewards from each step on.
        mask: The steps that count: one contiguous run in each row, after which rewards
            and values are zero.
        discount: γ, the discount of a reward per step.
        decay: λ.

    Raises:
        ValueError: If the discount or the decay is not from 0 to 1.

    Source: Schulman et al., High-Dimensional Continuous Control Using Generalized
        Advantage Estimation, equation 16, https://arxiv.org/abs/1506.02438

    >>> rewards, values = torch.tensor([[[0.0, 0.0, 1.0]], [[0.5, 0.5, 0.8]]])
    >>> mask = torch.ones(1, 3).bool()
    >>> generalized_advantage_estimate(rewards, values, mask, decay=0)
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
    """Normalize the steps that count to mean 0 and variance 1; the others become 0.

    The learning rate then does not depend on the scale of the rewards. The variance
    divides by n - 1, as in TRL.

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
            f"A variance needs at least two steps that count, got {count}."
        )
    centred = numbers - masked_mean(numbers, mask)
    variance = masked_mean(centred.square(), mask) * count / (count - 1)
    return (centred * (variance + 1e-8).rsqrt()).masked_fill(~mask, 0.0)


@dataclass(frozen=True)
class Experience:
    """A batch of scored answers: the training data of one PPO update.

    Attributes:
        ids: Prompts with their answers.
        mask: The steps that chose a token of an answer.
        log_probs: Log-probabilities under the policy that wrote the answers.
        values: The value model's prediction before each step.
        advantages: The advantage of each step, whitened: how much better it was than
            predicted.
        returns: The targets of the value model.
        kl: The KL divergence of each answer from the reference, in nats (k1).
    """

    ids: Int[Tensor, "batch position"]
    mask: Bool[Tensor, "batch step"]
    log_probs: Float[Tensor, "batch step"]
    values: Float[Tensor, "batch step"]
    advantages: Float[Tensor, "batch step"]
    returns: Float[Tensor, "batch step"]
    scores: Float[Tensor, "batch"]
    kl: Float[Tensor, "batch"]

    def rows(self, chosen: Int[Tensor, "part"]) -> "Experience":
        """Return some of the answers, without positions that are padding in all."""
        steps = int(self.mask[chosen].any(dim=0).nonzero().max()) + 1
        ends = {"ids": steps + 1, "scores": None, "kl": None}
        return Experience(
            **{
                name: tensor[chosen][..., : ends.get(name, steps)]
                for name, tensor in vars(self).items()
            }
        )

    def micro_batches(
        self, chosen: Int[Tensor, "part"], count: int
    ) -> Iterator[tuple["Experience", float]]:
        """Split some of the answers by length, so that little is spent on padding, and
        yield each part with its share of the steps, the weight of the part's mean.
        """
        steps = self.mask[chosen].sum(dim=1)
        places = torch.arange(self.mask.shape[1], device=self.mask.device)
        ends = (self.mask[chosen] * places).amax(dim=1)
        by_length = chosen if count == 1 else chosen[ends.argsort(stable=True)]
        for part in by_length.tensor_split(min(count, len(chosen))):
            yield self.rows(part), float(self.mask[part].sum() / steps.sum())


@torch.no_grad()
def gather_experience(
    rollouts: Rollouts,
    reference: nn.Module,
    value_model: nn.Module,
    scores: Float[Tensor, "batch"],
    kl_weight: float | int,
    discount: float | int = 1.0,
    decay: float | int = 0.95,
) -> Experience:
    """Turn rollouts and their scores into the training data of a PPO update.

    Args:
        rollouts: The policy's answers, sampled at temperature 1.
        value_model: Predicts the rewards still to come, such as a `ScalarModel`.
        kl_weight: The KL coefficient, in reward per nat of KL divergence from the
            reference.
        discount: As in `generalized_advantage_estimate`; so is `decay`.
    """
    ids, mask = rollouts.ids, rollouts.mask
    kl = kl_k1(rollouts.log_probs, token_log_probs(reference, ids))
    values = value_model(ids)[:, :-1].masked_fill(~mask, 0.0)
    rewards = token_rewards(scores, kl, mask, kl_weight)
    advantages = generalized_advantage_estimate(rewards, values, mask, discount, decay)
    return Experience(
        ids=ids,
        mask=mask,
        log_probs=rollouts.log_probs,
        values=values,
        advantages=whiten(advantages, mask),
        returns=advantages + values,
        scores=scores,
        kl=masked_sum(kl, mask),
    )
