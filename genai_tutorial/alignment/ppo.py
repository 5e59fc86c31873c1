"""Proximal policy optimization: one step of `learn_by_ppo` samples answers, turns them
into experience (`gather_experience`), and makes a few passes over it (`ppo_update`),
with clipping that keeps the policy near the one that wrote the answers.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from genai_tutorial.generation import Score, generate_rollouts
from genai_tutorial.training import (
    AdamW,
    CombinedOptimizer,
    clip_gradients,
    training_loop,
    warmup_constant,
)
from genai_tutorial.transformer import DecoderLM

from .experience import Experience, entropy, gather_experience, kl_k3
from .preferences import ScalarModel
from .supervised import chosen_log_probs, masked_mean


@dataclass(frozen=True)
class PPOSettings:
    """Hyperparameters of a PPO update.

    Attributes:
        epochs: The number of passes over the batch.
        minibatches: The number of minibatches per pass, each with an optimizer step.
        micro_batches: The number of parts of a minibatch whose gradients are
            accumulated; they are split by length, which saves padding.
        clip: The relative change of a probability at which its gradient is cut.
        value_clip: The change of a value at which its gradient is cut.
        discount: As in `generalized_advantage_estimate`; so is `decay`.
        clip_norm: The largest norm of each model's gradient.

    Raises:
        ValueError: If a number is out of range.
    """

    epochs: int = 4
    minibatches: int = 4
    micro_batches: int = 1
    clip: float | int = 0.2
    value_clip: float | int = 0.2
    value_weight: float | int = 0.1
    entropy_weight: float | int = 0.0
    discount: float | int = 1.0
    decay: float | int = 0.95
    clip_norm: float | int = 1.0

    def __post_init__(self):
        for name in ("epochs", "minibatches", "micro_batches"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"{name} must be at least 1, got {getattr(self, name)}."
                )
        for name in ("clip", "value_clip", "clip_norm"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}.")


@dataclass(frozen=True)
class PPOReport:
    """Averages over the minibatches of an update.

    Attributes:
        entropy: The entropy of the policy, in nats per token.
        clipped: The share of steps whose gradient is cut by the clip.
        step_kl: The KL divergence from the policy that wrote the answers at the last
            minibatch, in nats per token.
    """

    policy_loss: float
    value_loss: float
    entropy: float
    clipped: float
    step_kl: float


def clipped_objective(
    ratio: Float[Tensor, "batch step"],
    advantages: Float[Tensor, "batch #step"],
    clip: float | int,
) -> Float[Tensor, "batch step"]:
    r"""Return PPO's objective for each step, which is flat once the probability has
    changed enough.

    $$\min\left(\rho_t A_t,\ \text{clip}(\rho_t, 1 - \epsilon, 1 + \epsilon) A_t\right),
    \qquad \rho_t = \frac{\pi(a_t)}{\pi_\text{old}(a_t)}$$

    Args:
        ratio: ρ, the probability of each step's token divided by its probability when
            it was drawn.
        advantages: The advantage of each step: how much better it was than predicted.
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
    """Return half the mean squared error of the values; improving a value beyond a
    change of `clip` gives no gradient.

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
    """Return the loss of a batch, and the figures of a `PPOReport` from `policy_loss`
    to `step_kl`.

    Source: Schulman et al., Proximal Policy Optimization Algorithms, equation 9,
    https://arxiv.org/abs/1707.06347
    """
    logits, mask = policy(batch.ids), batch.mask
    log_probs = chosen_log_probs(logits, batch.ids)
    values = value_model(batch.ids)[:, :-1]
    ratio = (log_probs - batch.log_probs).exp()
    policy_loss = clipped_policy_loss(ratio, batch.advantages, mask, settings.clip)
    value_loss = clipped_value_loss(
        values, batch.values, batch.returns, mask, settings.value_clip
    )
    mean_entropy = masked_mean(entropy(logits[:, :-1]), mask)
    loss = (
        policy_loss
        + settings.value_weight * value_loss
        - settings.entropy_weight * mean_entropy
    )
    # the old policy drew the tokens
    step_kl = masked_mean(kl_k3(batch.log_probs, log_probs), mask)
    clipped = torch.where(
        batch.advantages > 0, ratio > 1 + settings.clip, ratio < 1 - settings.clip
    )
    figures = torch.stack(
        [
            policy_loss,
            value_loss,
            mean_entropy,
            masked_mean(clipped.to(ratio), mask),
            step_kl,
        ]
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
    """Update policy and value model in several passes over a batch of answers.

    Args:
        optimizer: An optimizer of the parameters of both.
        generator: Random generator for the order of the answers; None for torch's
            global one.

    Raises:
        ValueError: If there are fewer answers than minibatches.

    Source: Schulman et al., Proximal Policy Optimization Algorithms, algorithm 1,
    https://arxiv.org/abs/1707.06347
    """
    if len(experience.ids) < settings.minibatches:
        raise ValueError(
            f"{len(experience.ids)} answers cannot be split into "
            f"{settings.minibatches} minibatches."
        )
    all_figures = []
    for _ in range(settings.epochs):
        order = torch.randperm(len(experience.ids), generator=generator)
        for part in order.to(experience.ids.device).tensor_split(settings.minibatches):
            optimizer.zero_grad()
            figures = torch.zeros(5, device=part.device)
            for batch, share in experience.micro_batches(part, settings.micro_batches):
                loss, of_batch = ppo_loss(policy, value_model, batch, settings)
                (share * loss).backward()
                figures += share * of_batch
            all_figures.append(figures)
            for model in (policy, value_model):
                clip_gradients(model.parameters(), settings.clip_norm)
            optimizer.step()
    *means, _ = torch.stack(all_figures).mean(dim=0).tolist()
    return PPOReport(*means, step_kl=float(all_figures[-1][-1]))


@dataclass(frozen=True)
class LearningSettings:
    """Hyperparameters of a training run of PPO.

    Attributes:
        steps: The number of steps, each with new answers.
        batch_size: The number of prompts answered in a step.
        max_new_tokens: The largest number of tokens of an answer.
        learning_rate: The learning rate of policy and value model after the warmup.
        kl_weight: The initial KL coefficient, in reward per nat of KL divergence from
            the reference.
        kl_target: The KL divergence that the coefficient is adapted to, in nats per
            answer; None keeps the coefficient fixed.
        ppo: The hyperparameters of each update.

    Raises:
        ValueError: If a number is out of range.
    """

    steps: int
    batch_size: int = 64
    max_new_tokens: int = 32
    learning_rate: float | int = 2e-4
    warmup_steps: int = 5
    kl_weight: float | int = 0.05
    kl_target: float | int | None = None
    ppo: PPOSettings = PPOSettings(epochs=2, minibatches=2, micro_batches=4)

    def __post_init__(self):
        for name in ("steps", "batch_size", "max_new_tokens"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"{name} must be at least 1, got {getattr(self, name)}."
                )
        if self.kl_weight < 0 or (self.kl_target is not None and self.kl_target <= 0):
            raise ValueError(
                "kl_weight must not be negative and kl_target above 0 or None, got "
                f"{self.kl_weight}, {self.kl_target}."
            )


@dataclass(frozen=True)
class LearningStep:
    """Averages over the answers of one step, before the update, and its report.

    Attributes:
        score: The mean score of the answers.
        kl: The KL divergence from the reference, in nats per answer.
        tokens: The mean length of an answer, in tokens.
    """

    score: float
    kl: float
    kl_weight: float
    tokens: float
    report: PPOReport


def adapted_kl_weight(
    kl_weight: float | int, kl: float | int, target: float | int
) -> float:
    """Return the next KL coefficient: higher if the divergence is above the target,
    lower if it is below.

    Source: Ziegler et al., Fine-Tuning Language Models from Human Preferences, section
        2.2, https://arxiv.org/abs/1909.08593
    """
    error = min(max((kl - target) / target, -0.2), 0.2)
    return kl_weight * (1 + 0.1 * error)


def learn_by_ppo(
    reference: DecoderLM,
    value_model: ScalarModel,
    prompts: Sequence[Sequence[int]],
    score: Score,
    settings: LearningSettings,
    *,
    end_token: int,
    seed: int = 0,
    watch: Callable[[int, DecoderLM], None] | None = None,
    progress: bool = True,
) -> tuple[DecoderLM, list[LearningStep]]:
    """Train a copy of a model with PPO, and return it with the history of the steps.

    Args:
        reference: The initial policy and the reference; it is not changed.
        value_model: The initial value model, such as the reward model; it is copied.
        prompts: The tokens of all prompts; each step draws some.
        seed: Seed of the prompts, the answers and their order in training.
        watch: Called with the number of finished steps and the policy, before the first
            step and after each.

    Raises:
        ValueError: If there is no prompt.
    """
    if not prompts:
        raise ValueError("There must be at least one prompt, got none.")
    generator = torch.Generator().manual_seed(seed)
    policy, values = deepcopy(reference).train(), deepcopy(value_model).train()
    optimizer = AdamW(
        [*policy.parameters(), *values.parameters()], lr=settings.learning_rate
    )
    kl_weight, history = settings.kl_weight, []
    for _ in training_loop(
        settings.steps,
        optimizer,
        warmup_constant(settings.warmup_steps),
        watch=None if watch is None else lambda done: watch(done, policy),
        label="learning",
        progress=progress,
    ):
        drawn = torch.randint(
            len(prompts), (settings.batch_size,), generator=generator
        ).tolist()
        rollouts = generate_rollouts(
            policy,
            [prompts[place] for place in drawn],
            settings.max_new_tokens,
            end_token=end_token,
            generator=generator,
        )
        experience = gather_experience(
            rollouts,
            reference,
            values,
            score(rollouts),
            kl_weight,
            settings.ppo.discount,
            settings.ppo.decay,
        )
        report = ppo_update(
            policy, values, optimizer, experience, settings.ppo, generator
        )
        kl = float(experience.kl.mean())
        tokens = float(experience.mask.sum(dim=1).float().mean())
        history.append(
            LearningStep(float(experience.scores.mean()), kl, kl_weight, tokens, report)
        )
        if settings.kl_target is not None:
            kl_weight = adapted_kl_weight(kl_weight, kl, settings.kl_target)
    return policy.eval(), history
