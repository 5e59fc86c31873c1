"""Four other losses for pairs of answers: IPO and KTO compare with a reference model,
as DPO does; SimPO and ORPO do without one.

All take log-probabilities of answers, of the whole answer or per token, and return the
loss of each pair.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from .dpo import implicit_reward
from .preferences import preference_losses


def ipo_losses(
    chosen: Float[Tensor, "*pair"],
    rejected: Float[Tensor, "*pair"],
    reference_chosen: Float[Tensor, "*pair"],
    reference_rejected: Float[Tensor, "*pair"],
    beta: float | int,
) -> Float[Tensor, "*pair"]:
    """Return identity preference optimization's loss of each pair, in nats squared: the
    chosen answer should gain exactly 1 / (2 beta) nats on the rejected one, not more.

    Args:
        chosen: The policy's log-probabilities of whole answers, as in the paper, or
            their means per token, as in TRL.
        beta: The regularization; a large one keeps the policy near the reference.

    Source: Azar et al., A General Theoretical Paradigm to Understand Learning from
        Human Preferences, equation 17, https://arxiv.org/abs/2310.12036

    >>> ipo_losses(*torch.tensor([[-1.0], [-9.0], [-1.0], [-9.0]]), beta=0.1)
    tensor([25.])
    """
    gain = (chosen - reference_chosen) - (rejected - reference_rejected)
    return (gain - 1 / (2 * beta)) ** 2


def kto_losses(
    chosen: Float[Tensor, "*pair"],
    rejected: Float[Tensor, "*pair"],
    reference_chosen: Float[Tensor, "*pair"],
    reference_rejected: Float[Tensor, "*pair"],
    kl: Float[Tensor, ""],
    beta: float | int,
) -> Float[Tensor, "*pair"]:
    """Return Kahneman-Tversky optimization's loss of each pair, the mean of its two
    answers' losses, which need not belong to the same prompt.

    Args:
        chosen: The policy's log-probabilities of whole answers.
        kl: The policy's KL divergence from the reference, in nats per answer, estimated
            without gradient from prompts with other prompts' answers.
        beta: The KL coefficient, in reward per nat.

    Source: Ethayarajh et al., KTO: Model Alignment as Prospect Theoretic Optimization,
        equation 8 with equal weights, https://arxiv.org/abs/2402.01306

    >>> kto_losses(*torch.tensor([[-1.0], [-9.0]] * 2), torch.tensor(0.0), beta=0.1)
    tensor([0.5000])
    """
    good = implicit_reward(chosen, reference_chosen, beta)
    bad = implicit_reward(rejected, reference_rejected, beta)
    floor = beta * kl.clamp(min=0)
    return (2 - (good - floor).sigmoid() - (floor - bad).sigmoid()) / 2


def simpo_losses(
    chosen: Float[Tensor, "*pair"],
    rejected: Float[Tensor, "*pair"],
    beta: float | int,
    margin: float | int,
) -> Float[Tensor, "*pair"]:
    """Return simple preference optimization's loss of each pair, in nats: the reward is
    the mean log-probability per token, without a reference.

    Args:
        chosen: The policy's mean log-probability per token of each answer.
        beta: The reward of one nat per token.
        margin: By how much the chosen answer's reward should be higher (the paper's γ).

    Source: Meng et al., SimPO, equation 6, https://arxiv.org/abs/2405.14734

    >>> simpo_losses(*torch.tensor([[-0.5], [-1.0]]), beta=2, margin=1)
    tensor([0.6931])
    """
    return preference_losses(beta * chosen - margin, beta * rejected)


def orpo_losses(
    chosen: Float[Tensor, "*pair"],
    rejected: Float[Tensor, "*pair"],
    weight: float | int,
) -> Float[Tensor, "*pair"]:
    """Return odds ratio preference optimization's loss of each pair, in nats: the loss
    of fine-tuning on the chosen answer, plus a term for the ratio of the two odds.

    Args:
        chosen: The policy's mean log-probability per token of each answer, below 0.
        weight: The weight of the odds ratio (the paper's λ).

    Source: Hong et al., ORPO, equations 6 and 7, https://arxiv.org/abs/2403.07691

    >>> orpo_losses(*torch.tensor([[0.5], [0.5]]).log(), weight=1)
    tensor([1.3863])
    """
    odds = [one - torch.log1p(-one.exp()) for one in (chosen, rejected)]
    return weight * -functional.logsigmoid(odds[0] - odds[1]) - chosen
