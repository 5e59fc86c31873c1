"""Proximal policy optimization: the model answers, the answers are scored, and better
choices are made more probable.

One `ppo_step` is `gather_experience` (write, score, price the distance from the
reference, estimate advantages) and `ppo_update` (a few passes over it, none of which
may go far from the policy that wrote it).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from genai_tutorial.alignment.experience import Experience, gather_experience
from genai_tutorial.alignment.log_probs import (
    chosen_log_probs,
    entropy,
    kl_k3,
    masked_mean,
)
from genai_tutorial.generation import Score, generate_rollouts
from genai_tutorial.training import CombinedOptimizer, clip_gradients
from genai_tutorial.transformer import DecoderLM


@dataclass(frozen=True)
class PPOSettings:
    """How PPO learns from a batch of answers.

    Attributes:
        epochs: How often it passes over the batch.
        minibatches: Into how many parts each pass is cut, with a step of the optimizer
            for each.
        clip: By how much the probability of a choice may change, as a share, before it
            is no longer pushed.
        value_clip: By how much a value may change before it is no longer pushed.
        value_weight: What the value's loss counts beside the policy's.
        entropy_weight: The reward for staying undecided.
        discount: See `generalized_advantage_estimate`.
        decay: See `generalized_advantage_estimate`.
        step_kl: The update stops when the policy is farther than this from the one that
            wrote the answers, in nats a token; None for never.
        clip_norm: The greatest length of each model's gradient.

    Raises:
        ValueError: If a number is out of range.
    """

    epochs: int = 4
    minibatches: int = 4
    clip: float | int = 0.2
    value_clip: float | int = 0.2
    value_weight: float | int = 0.1
    entropy_weight: float | int = 0.0
    discount: float | int = 1.0
    decay: float | int = 0.95
    step_kl: float | int | None = None
    clip_norm: float | int = 1.0

    def __post_init__(self):
        for name in ("epochs", "minibatches"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"{name} must be at least 1, got {getattr(self, name)}."
                )
        for name in ("clip", "value_clip", "clip_norm"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}.")


@dataclass(frozen=True)
class PPOReport:
    """What an update did, on average over its minibatches.

    Attributes:
        policy_loss: See `clipped_policy_loss`.
        value_loss: See `clipped_value_loss`.
        entropy: How undecided the policy is, in nats a token.
        clipped: The share of steps that the clip keeps from going further.
        step_kl: How far the last minibatch found the policy from the one that wrote the
            answers, in nats a token.
        updates: How many steps the optimizer made; fewer than planned where `step_kl`
            was reached.
    """

    policy_loss: float
    value_loss: float
    entropy: float
    clipped: float
    step_kl: float
    updates: int


def clipped_objective(
    ratio: Float[Tensor, "batch step"],
    advantages: Float[Tensor, "batch #step"],
    clip: float | int,
) -> Float[Tensor, "batch step"]:
    r"""Return what each step gains by the policy's change; it gains no more once its
    probability has changed enough.

    $$\min\left(\rho_t A_t,\ \text{clip}(\rho_t, 1 - \epsilon, 1 + \epsilon) A_t\right),
    \qquad \rho_t = \frac{\pi(a_t)}{\pi_\text{old}(a_t)}$$

    Args:
        ratio: The probability of each step's token, as a multiple of its probability
            when it was drawn, ρ.
        advantages: How much better than expected each step was.
        clip: ε.

    Source: Schulman et al., Proximal Policy Optimization Algorithms, equation 7,
    https://arxiv.org/abs/1707.06347

    >>> good_tokens = torch.ones(1, 3)
    >>> clipped_objective(torch.tensor([[0.5, 1.0, 1.5]]), good_tokens, clip=0.2)
    tensor([[0.5000, 1.0000, 1.2000]])
    """
    return torch.minimum(
        ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages
    )


def clipped_policy_loss(
    ratio: Float[Tensor, "batch step"],
    advantages: Float[Tensor, "batch step"],
    mask: Bool[Tensor, "batch step"],
    clip: float | int,
) -> Float[Tensor, ""]:
    """Return minus the mean of `clipped_objective` over the steps that count."""
    return -masked_mean(clipped_objective(ratio, advantages, clip), mask)


def clipped_value_loss(
    values: Float[Tensor, "batch step"],
    old_values: Float[Tensor, "batch step"],
    returns: Float[Tensor, "batch step"],
    mask: Bool[Tensor, "batch step"],
    clip: float | int,
) -> Float[Tensor, ""]:
    """Return half the mean squared error of the values, which are not pushed further
    than `clip` from what they were.

    Source: Huang et al., The N+ Implementation Details of RLHF with PPO,
        https://arxiv.org/abs/2403.17031
    """
    near = old_values + (values - old_values).clamp(-clip, clip)
    return 0.5 * masked_mean(
        torch.maximum((values - returns).square(), (near - returns).square()), mask
    )


def ppo_loss(
    policy: nn.Module, value_model: nn.Module, batch: Experience, settings: PPOSettings
) -> tuple[Float[Tensor, ""], Float[Tensor, "figure"]]:
    """Return the loss of a batch, and what a `PPOReport` tells of it, from
    `policy_loss` to `step_kl`.

    Source: Schulman et al., Proximal Policy Optimization Algorithms, equation 9,
    https://arxiv.org/abs/1707.06347
    """
    logits, mask = policy(batch.ids), batch.mask
    log_probs, values = (
        chosen_log_probs(logits, batch.ids),
        value_model(batch.ids)[:, :-1],
    )
    ratio = (log_probs - batch.log_probs).exp()
    policy_loss = clipped_policy_loss(ratio, batch.advantages, mask, settings.clip)
    value_loss = clipped_value_loss(
        values, batch.values, batch.returns, mask, settings.value_clip
    )
    undecided = masked_mean(entropy(logits[:, :-1]), mask)
    loss = (
        policy_loss
        + settings.value_weight * value_loss
        - settings.entropy_weight * undecided
    )
    # the old policy drew the tokens
    step_kl = masked_mean(kl_k3(batch.log_probs, log_probs), mask)
    held = torch.where(
        batch.advantages > 0, ratio > 1 + settings.clip, ratio < 1 - settings.clip
    )
    figures = torch.stack(
        [policy_loss, value_loss, undecided, masked_mean(held.to(ratio), mask), step_kl]
    )
    return loss, figures.detach()


def ppo_update(
    policy: nn.Module,
    value_model: nn.Module,
    optimizer: torch.optim.Optimizer | CombinedOptimizer,
    experience: Experience,
    settings: PPOSettings,
    generator: torch.Generator | None = None,
) -> PPOReport:
    """Learns from a batch of answers, in several passes over it.

    Args:
        policy: What writes the answers.
        value_model: Predicts the rewards still to come.
        optimizer: Moves the parameters of both.
        experience: From `gather_experience`.
        settings: How to learn.
        generator: Decides the order of the answers; None uses torch's global one.

    Raises:
        ValueError: If there are fewer answers than minibatches.

    Source: Schulman et al., Proximal Policy Optimization Algorithms, algorithm 1,
    https://arxiv.org/abs/1707.06347
    """
    if len(experience.ids) < settings.minibatches:
        raise ValueError(
            f"{len(experience.ids)} answers cannot be cut into {settings.minibatches} "
            "minibatches."
        )
    trained = [
        [parameter for parameter in model.parameters() if parameter.requires_grad]
        for model in (policy, value_model)
    ]
    all_figures = []
    for _ in range(settings.epochs):
        order = torch.randperm(len(experience.ids), generator=generator)
        for part in order.to(experience.ids.device).tensor_split(settings.minibatches):
            loss, figures = ppo_loss(
                policy, value_model, experience.rows(part), settings
            )
            all_figures.append(figures)
            if settings.step_kl is not None and figures[-1] > settings.step_kl:
                return _report(all_figures, updates=len(all_figures) - 1)
            optimizer.zero_grad()
            loss.backward()
            for parameters in trained:
                clip_gradients(parameters, settings.clip_norm)
            optimizer.step()
    return _report(all_figures, updates=len(all_figures))


def ppo_step(
    policy: DecoderLM,
    reference: nn.Module,
    value_model: nn.Module,
    optimizer: torch.optim.Optimizer | CombinedOptimizer,
    prompts: Sequence[Sequence[int]],
    score: Score,
    kl_weight: float | int,
    settings: PPOSettings,
    *,
    max_new_tokens: int,
    end_token: int,
    generator: torch.Generator | None = None,
) -> tuple[Experience, PPOReport]:
    """Lets the policy answer each prompt once and learns from it; returns what was seen
    and what it did.

    Args:
        policy: What is trained.
        reference: The model that it should stay near to.
        value_model: Predicts the rewards still to come; trained with the policy.
        optimizer: Moves the parameters of both.
        prompts: The tokens of each prompt.
        score: Says what each answer is worth.
        kl_weight: The price of one nat of distance from the reference; see
            `adapted_kl_weight`.
        settings: How to learn.
        max_new_tokens: See `generate_rollouts`, as for the next two.
        end_token: What ends an answer.
        generator: Where the chance comes from.
    """
    rollouts = generate_rollouts(
        policy, prompts, max_new_tokens, end_token=end_token, generator=generator
    )
    experience = gather_experience(
        rollouts,
        reference,
        value_model,
        score(rollouts),
        kl_weight,
        settings.discount,
        settings.decay,
    )
    return experience, ppo_update(
        policy, value_model, optimizer, experience, settings, generator
    )


def _report(all_figures: Sequence[Tensor], updates: int) -> PPOReport:
    *means, _ = torch.stack(list(all_figures)).mean(dim=0).tolist()
    return PPOReport(*means, step_kl=float(all_figures[-1][-1]), updates=updates)
