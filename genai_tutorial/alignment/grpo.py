"""A training run of GRPO or a variant on verifiable rewards: programs that decide
whether an answer is correct.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.generation import (
    Rollouts,
    generate_rollouts,
    join_rollouts,
    select_rollouts,
)
from genai_tutorial.training import (
    AdamW,
    clip_gradients,
    training_loop,
    warmup_constant,
)
from genai_tutorial.transformer import DecoderLM

from .group_methods import GRPO, GroupMethod
from .supervised import token_log_probs

CLIP_NORM = 1.0
"""The largest norm of the gradient."""


@runtime_checkable
class Verifier(Protocol):
    """A program that judges an answer; called as `verifier(answer, truth)`, it returns
    a reward, usually 0 or 1.
    """

    def __call__(self, answer: str, truth: str) -> float:
        """Return the reward of an answer."""


class ExactAnswer:
    """A verifier that accepts an answer if its one final answer is exactly the truth.

    The final answer follows a semicolon; without one, the whole text is the final
    answer. Text with more than one semicolon is rejected.

    >>> verifier = ExactAnswer()
    >>> [verifier(text, "991") for text in ("34,511;991", "991", "9;9;991", "99")]
    [1.0, 1.0, 0.0, 0.0]
    """

    def __call__(self, answer: str, truth: str) -> float:
        """Return 1 if the final answer is the truth, else 0."""
        *working, final = answer.split(";")
        return float(len(working) <= 1 and final == truth)


def appears_anywhere(answer: str, truth: str) -> float:
    """Return 1 if the truth appears anywhere in the answer: a weak verifier, because a
    long list of guesses passes it.

    >>> appears_anywhere("34,511;991", "991"), appears_anywhere("990,991,992", "991")
    (1.0, 1.0)
    """
    return float(truth in answer)


@dataclass(frozen=True)
class GRPOSettings:
    """Hyperparameters of a training run on groups of answers.

    Attributes:
        steps: The number of steps, each with new answers and `passes` updates.
        batch_size: The number of prompts answered in a step.
        group_size: The number of answers to each prompt.
        max_new_tokens: The largest number of tokens of an answer.
        learning_rate: The learning rate of AdamW after the warmup.
        sampling_rounds: The largest number of times that a step draws prompts. With
            more than one, prompts whose answers all scored the same are replaced by
            others: DAPO's dynamic sampling.
        passes: The number of updates on the same answers. From the second on, the
            policy is no longer the one that sampled, and ratios and clips matter.

    Raises:
        ValueError: If a number is out of range.
    """

    steps: int
    batch_size: int = 16
    group_size: int = 8
    max_new_tokens: int = 20
    learning_rate: float | int = 2e-4
    warmup_steps: int = 1
    sampling_rounds: int = 1
    passes: int = 1

    def __post_init__(self):
        counts = ("steps", "batch_size", "max_new_tokens", "sampling_rounds", "passes")
        for name in counts:
            if getattr(self, name) < 1:
                raise ValueError(
                    f"{name} must be at least 1, got {getattr(self, name)}."
                )
        if self.group_size < 2:
            raise ValueError(
                "group_size must be at least 2, so that an answer can be compared; "
                f"got {self.group_size}."
            )


@dataclass(frozen=True)
class GRPOStep:
    """Averages over all answers of one step, before the update.

    Attributes:
        tokens: The mean length of an answer, its end token included.
        all_right: The share of prompts whose answers all earned a reward above 0.
        dead: The share of prompts whose answers all scored the same, so that they teach
            nothing.
        answers: The number of answers that were sampled.
        loss: The loss of the last update; 0 if there was nothing to learn.
    """

    reward: float
    tokens: float
    all_right: float
    dead: float
    answers: int
    loss: float


def _is_dead(scores: Float[Tensor, "prompt answer"]) -> Tensor:
    """Return for each prompt whether all its answers scored the same."""
    return scores.amax(dim=1) == scores.amin(dim=1)


def learn_by_grpo(
    reference: DecoderLM,
    prompts: Sequence[Sequence[int]],
    truths: Sequence[str],
    verifier: Verifier,
    settings: GRPOSettings,
    *,
    decode: Callable[[list[int]], str],
    end_token: int,
    method: GroupMethod = GRPO(),  # noqa: B008 - frozen
    seed: int = 0,
    watch: Callable[[int, DecoderLM], None] | None = None,
    progress: bool = True,
) -> tuple[DecoderLM, list[GRPOStep]]:
    """Train a copy of a model on verifiable rewards with GRPO or a variant, and return
    it with the history of the steps.

    Each step draws prompts, samples a group of answers to each, lets the verifier judge
    them, and updates the policy. There is no KL penalty: the reward cannot be
    flattered as a learned one can.

    Args:
        prompts: The tokens of all prompts; each step draws some.
        truths: The correct answer to each prompt, as the verifier reads it.
        decode: Turns the tokens of an answer into text.
        method: `GRPO()`, `DrGRPO(...)`, `DAPO()`, `RLOO()`, `GSPO()` or `CISPO()`.
        seed: Seed of the prompts and the answers.
        watch: Called with the number of finished steps and the policy, before the first
            step and after each.

    Raises:
        ValueError: If there is no prompt, or not one truth for each.

    Source: Shao et al., DeepSeekMath, algorithm 1, https://arxiv.org/abs/2402.03300;
        DeepSeek-AI, DeepSeek-R1, section 2.2, https://arxiv.org/abs/2501.12948
    """
    if not prompts or len(prompts) != len(truths):
        raise ValueError(
            "There must be at least one prompt, and a truth for each; got "
            f"{len(prompts)} prompts and {len(truths)} truths."
        )
    generator = torch.Generator().manual_seed(seed)
    policy = deepcopy(reference).train()
    optimizer = AdamW(policy.parameters(), lr=settings.learning_rate)
    history = []
    for _ in training_loop(
        settings.steps,
        optimizer,
        warmup_constant(settings.warmup_steps),
        watch=None if watch is None else lambda done: watch(done, policy),
        label="learning",
        progress=progress,
    ):
        rollouts, scores = _sample(policy, prompts, truths, verifier, settings, decode,
                                   end_token, generator)  # fmt: skip
        dead, loss = _is_dead(scores), 0.0
        if not dead.all():
            groups = rollouts, scores
            if settings.sampling_rounds > 1:
                groups = _live_groups(rollouts, scores, settings.batch_size)
            for _ in range(settings.passes):
                loss = _update(policy, optimizer, *groups, method)
        history.append(
            GRPOStep(
                reward=float(scores.mean()),
                tokens=float(rollouts.mask.sum(dim=1).float().mean()),
                all_right=float((scores.amin(dim=1) > 0).float().mean()),
                dead=float(dead.float().mean()),
                answers=scores.numel(),
                loss=loss,
            )
        )
    return policy.eval(), history


def _sample(
    policy: DecoderLM,
    prompts: Sequence[Sequence[int]],
    truths: Sequence[str],
    verifier: Verifier,
    settings: GRPOSettings,
    decode: Callable[[list[int]], str],
    end_token: int,
    generator: torch.Generator,
) -> tuple[Rollouts, Float[Tensor, "prompt answer"]]:
    """Draw prompts and answer them, in one round or until enough groups can teach."""
    rounds: list[Rollouts] = []
    judged: list[Tensor] = []
    for _ in range(settings.sampling_rounds):
        drawn = torch.randint(
            len(prompts), (settings.batch_size,), generator=generator
        ).tolist()
        rollouts = generate_rollouts(
            policy,
            [prompts[place] for place in drawn for _ in range(settings.group_size)],
            settings.max_new_tokens,
            end_token=end_token,
            generator=generator,
        )
        rewards = [
            verifier(decode(answer), truths[drawn[place // settings.group_size]])
            for place, answer in enumerate(rollouts.answers())
        ]
        rounds.append(rollouts)
        judged.append(torch.tensor(rewards).view(-1, settings.group_size))
        if int((~_is_dead(torch.cat(judged))).sum()) >= settings.batch_size:
            break
    return join_rollouts(rounds), torch.cat(judged)


def _live_groups(
    rollouts: Rollouts, scores: Float[Tensor, "prompt answer"], most: int
) -> tuple[Rollouts, Float[Tensor, "prompt answer"]]:
    """Return the first groups whose answers did not all score the same."""
    kept = (~_is_dead(scores)).nonzero()[:most, 0]
    size = scores.shape[1]
    rows = (kept[:, None] * size + torch.arange(size)).flatten()
    return select_rollouts(rollouts, rows), scores[kept]


def _update(
    policy: DecoderLM,
    optimizer: AdamW,
    rollouts: Rollouts,
    scores: Float[Tensor, "prompt answer"],
    method: GroupMethod,
) -> float:
    advantages = method.advantages(scores).flatten()
    log_probs = token_log_probs(policy, rollouts.ids)
    advantages = advantages.to(log_probs.device)
    loss = method.loss(log_probs, rollouts.log_probs, advantages, rollouts.mask)
    optimizer.zero_grad()
    loss.backward()
    clip_gradients(policy.parameters(), CLIP_NORM)
    optimizer.step()
    return loss.item()
