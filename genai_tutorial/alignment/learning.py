"""A training run of PPO: random prompts, warmup, and an adaptive KL coefficient."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch

from genai_tutorial.generation import Score
from genai_tutorial.runtime import progress_bar
from genai_tutorial.training import AdamW
from genai_tutorial.transformer import DecoderLM

from .ppo import PPOReport, PPOSettings, ppo_step
from .reward import ScalarModel


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
    ppo: PPOSettings = PPOSettings(epochs=2, minibatches=2, micro_batches=4)  # noqa: RUF009

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
    kl_weight: float | int,
    kl: float | int,
    target: float | int,
    rate: float | int = 0.1,
) -> float:
    """Return the next KL coefficient: higher if the divergence is above the target,
    lower if it is below.

    Source: Ziegler et al., Fine-Tuning Language Models from Human Preferences, section
        2.2, https://arxiv.org/abs/1909.08593
    """
    if not target > 0:
        raise ValueError(f"target must be above 0 nats, got {target}.")
    error = min(max((kl - target) / target, -0.2), 0.2)
    return kl_weight * (1 + rate * error)


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
    """Train a copy of a model with PPO.

    Args:
        reference: The initial policy and the reference; it is not changed.
        value_model: The initial value model, such as the reward model; it is copied.
        prompts: The tokens of all prompts; each step draws some.
        score: Returns the score of each answer.
        seed: Seed of the prompts, the answers and their order in training.
        watch: Called with the number of finished steps and the policy, before the first
            step and after each.

    Returns:
        The policy, and the history of the steps.

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
    if watch is not None:
        watch(0, policy)
    for step in progress_bar(range(settings.steps), label="learning", show=progress):
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * min(
                1.0, (step + 1) / max(1, settings.warmup_steps)
            )
        drawn = torch.randint(
            len(prompts), (settings.batch_size,), generator=generator
        ).tolist()
        experience, report = ppo_step(
            policy,
            reference,
            values,
            optimizer,
            [prompts[place] for place in drawn],
            score,
            kl_weight,
            settings.ppo,
            max_new_tokens=settings.max_new_tokens,
            end_token=end_token,
            generator=generator,
        )
        kl = float(experience.kl.mean())
        tokens = float(experience.mask.sum(dim=1).float().mean())
        history.append(
            LearningStep(float(experience.scores.mean()), kl, kl_weight, tokens, report)
        )
        if settings.kl_target is not None:
            kl_weight = adapted_kl_weight(kl_weight, kl, settings.kl_target)
        if watch is not None:
            watch(step + 1, policy)
    return policy.eval(), history
