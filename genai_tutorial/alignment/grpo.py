"""Group-relative policy optimization: PPO without a value model. The baseline of an
answer is the mean score of several answers to the same prompt.

It suits verifiable rewards, such as whether an answer is right, which a program checks
once, at the end.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from genai_tutorial.generation import Rollouts, Score, generate_rollouts
from genai_tutorial.training import CombinedOptimizer, clip_gradients
from genai_tutorial.transformer import DecoderLM

from .log_probs import kl_k3, masked_sum, token_log_probs
from .ppo import clipped_objective


@dataclass(frozen=True)
class GRPOSettings:
    """Hyperparameters of GRPO.

    Attributes:
        group_size: The number of answers to each prompt.
        epochs: The number of passes over the batch.
        minibatches: The number of minibatches per pass, each with an optimizer step.
        clip: The relative change of a token's probability at which its gradient is
            cut.
        kl_weight: The KL coefficient, per nat of each token's KL divergence from the
            reference.
        clip_norm: The largest norm of the gradient.

    Raises:
        ValueError: If a number is out of range.
    """

    group_size: int = 8
    epochs: int = 1
    minibatches: int = 1
    clip: float | int = 0.2
    kl_weight: float | int = 0.04
    clip_norm: float | int = 1.0

    def __post_init__(self):
        if self.group_size < 2:
            raise ValueError(
                "group_size must be at least 2, so that an answer can be compared; "
                f"got {self.group_size}."
            )
        for name in ("epochs", "minibatches"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"{name} must be at least 1, got {getattr(self, name)}."
                )
        for name in ("clip", "clip_norm"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}.")


def group_relative_advantages(
    scores: Float[Tensor, "prompt answer"], epsilon: float | int = 1e-4
) -> Float[Tensor, "prompt answer"]:
    """Return how many standard deviations each answer's score lies above the mean of
    its prompt's group.

    Where all answers score the same, the advantages are zero.

    Args:
        epsilon: Added to the standard deviation to avoid a division by zero; the
            default is TRL's. It has the unit of the scores: if these differ by less
            than about a hundred times epsilon, the advantages become noticeably
            smaller.

    Raises:
        ValueError: If epsilon is not above 0.

    Source: Shao et al., DeepSeekMath, section 4.1.2, https://arxiv.org/abs/2402.03300

    >>> group_relative_advantages(
    ...     torch.tensor([[1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]])
    ... )
    tensor([[ 1.4997, -0.4999, -0.4999, -0.4999],
            [ 0.0000,  0.0000,  0.0000,  0.0000]])
    """
    if not epsilon > 0:
        raise ValueError(
            "epsilon must be above 0, because the standard deviation is 0 where all "
            f"answers score the same; got {epsilon}."
        )
    centred = scores - scores.mean(dim=1, keepdim=True)
    return centred / (scores.std(dim=1, keepdim=True) + epsilon)


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


def grpo_update(
    policy: nn.Module,
    reference: nn.Module,
    optimizer: torch.optim.Optimizer | CombinedOptimizer,
    rollouts: Rollouts,
    advantages: Float[Tensor, "batch"],
    settings: GRPOSettings,
    generator: torch.Generator | None = None,
) -> float:
    """Update the policy on a batch of answers; return the mean loss.

    Source: Shao et al., DeepSeekMath, algorithm 1 (its inner loop),
        https://arxiv.org/abs/2402.03300
    """
    ids, mask = rollouts.ids, rollouts.mask
    if len(ids) < settings.minibatches:
        raise ValueError(
            f"{len(ids)} answers cannot be split into "
            f"{settings.minibatches} minibatches."
        )
    with torch.no_grad():
        references = token_log_probs(reference, ids)
    trained = [
        parameter for parameter in policy.parameters() if parameter.requires_grad
    ]
    losses = []
    for _ in range(settings.epochs):
        order = torch.randperm(len(ids), generator=generator).to(ids.device)
        for part in order.tensor_split(settings.minibatches):
            log_probs = token_log_probs(policy, ids[part])
            given = (
                rollouts.log_probs[part],
                references[part],
                advantages[part],
                mask[part],
            )
            loss = grpo_loss(log_probs, *given, settings.clip, settings.kl_weight)
            optimizer.zero_grad()
            loss.backward()
            clip_gradients(trained, settings.clip_norm)
            optimizer.step()
            losses.append(loss.item())
    return sum(losses) / len(losses)


def grpo_step(
    policy: DecoderLM,
    reference: nn.Module,
    optimizer: torch.optim.Optimizer | CombinedOptimizer,
    prompts: Sequence[Sequence[int]],
    score: Score,
    settings: GRPOSettings,
    *,
    max_new_tokens: int,
    end_token: int,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "prompt answer"]:
    """Sample a group of answers to each prompt, update the policy, and return the
    scores.

    Args:
        optimizer: An optimizer of the policy's parameters.
        score: Returns the score of each answer; answers to the same prompt are
            adjacent.
        max_new_tokens: See `generate_rollouts`, as for the next two.
        generator: The source of randomness.
    """
    repeated = [prompt for prompt in prompts for _ in range(settings.group_size)]
    rollouts = generate_rollouts(
        policy, repeated, max_new_tokens, end_token=end_token, generator=generator
    )
    scores = score(rollouts).view(len(prompts), settings.group_size)
    advantages = group_relative_advantages(scores).flatten()
    grpo_update(policy, reference, optimizer, rollouts, advantages, settings, generator)
    return scores
