"""Learning by PPO from the first answer to the last: prompts drawn at random, a price
for distance that adapts.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch

from genai_tutorial.alignment.ppo import PPOReport, PPOSettings, ppo_step
from genai_tutorial.alignment.reward import ScalarModel
from genai_tutorial.generation import Score
from genai_tutorial.runtime import progress_bar
from genai_tutorial.training import AdamW
from genai_tutorial.transformer import DecoderLM


@dataclass(frozen=True)
class LearningSettings:
    """How a policy learns over many steps of PPO.

    Attributes:
        steps: The number of steps, each with new answers.
        batch_size: How many prompts are answered in a step.
        max_new_tokens: The most tokens of an answer.
        learning_rate: Of AdamW, for policy and values, after the warm-up.
        warmup_steps: How many steps it rises for.
        kl_weight: The price of one nat of distance from the reference, at first.
        kl_target: The distance that the price is adapted to, in nats an answer; None
            keeps the price.
        ppo: How each step learns.

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
    ppo: PPOSettings = PPOSettings(epochs=2, minibatches=2)  # noqa: RUF009 -- frozen

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
    """What one step saw, before it learned from it.

    Attributes:
        score: The mean score of the answers.
        kl: How far the policy is from the reference, in nats an answer.
        kl_weight: The price of a nat.
        tokens: The mean length of an answer, in tokens.
        report: What the update did.
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
    """Trains a copy of a model to write answers that score well, without going far from
    where it began.

    Args:
        reference: Where the policy begins, and what it should stay near to; it is not
            changed.
        value_model: Where the values begin, such as the reward model; it is copied.
        prompts: The tokens of all prompts; each step draws some.
        score: Says what each answer is worth.
        settings: How to learn.
        end_token: What ends an answer.
        seed: Decides the prompts, the answers and the order of learning.
        watch: Called with the number of steps done and the policy, before the first
            step and after each.
        progress: Whether to show a progress bar.

    Returns:
        The policy, and what each step saw.

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
