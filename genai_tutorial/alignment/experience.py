"""Experience: a batch of answers with their scores, made ready for PPO to learn
from.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from genai_tutorial.alignment.advantages import generalized_advantage_estimate, whiten
from genai_tutorial.alignment.kl import kl_k1, token_rewards
from genai_tutorial.alignment.log_probs import masked_sum, token_log_probs
from genai_tutorial.generation.rollouts import Rollouts


@dataclass(frozen=True)
class Experience:
    """A batch of answers with all that PPO learns from; see `log_probs` for what a step
    is.

    Attributes:
        ids: Prompts with their answers.
        mask: Which steps chose a token of an answer.
        log_probs: Of the policy that wrote them.
        values: What the value model expected before each step.
        advantages: By how much each step was better than expected, whitened.
        returns: What the value model should have expected.
        scores: What each answer is worth.
        kl: How far each answer is from the reference, in nats (k1).
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
        """Return some of the answers."""
        return Experience(
            **{name: tensor[chosen] for name, tensor in vars(self).items()}
        )


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
    """Turn answers and their scores into what PPO learns from.

    Args:
        rollouts: The policy's answers, written at temperature 1.
        reference: The model that the policy should stay near to.
        value_model: Says after each token what it expects, such as a `ScalarModel`.
        scores: What each answer is worth.
        kl_weight: The price of one nat of distance from the reference.
        discount: See `generalized_advantage_estimate`.
        decay: See `generalized_advantage_estimate`.
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
