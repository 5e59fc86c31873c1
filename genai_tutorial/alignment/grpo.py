"""Group-relative policy optimization: PPO whose yardstick is not a value model, but
other answers to the same prompt.

It suits rewards that a program can check: right or wrong, once, at the end.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from genai_tutorial.alignment.log_probs import kl_k3, masked_sum, token_log_probs
from genai_tutorial.alignment.ppo import clipped_objective
from genai_tutorial.generation import Rollouts, Score, generate_rollouts
from genai_tutorial.training import CombinedOptimizer, clip_gradients
from genai_tutorial.transformer import DecoderLM


@dataclass(frozen=True)
class GRPOSettings:
    """How GRPO learns from a batch of answers.

    Attributes:
        group_size: How many answers each prompt gets.
        epochs: How often it passes over the batch.
        minibatches: Into how many parts each pass is cut, with a step of the optimizer
            for each.
        clip: By how much the probability of a choice may change, as a share, before it
            is no longer pushed.
        kl_weight: The price of one nat of distance from the reference, a token.
        clip_norm: The greatest length of the gradient.

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
    """Return by how many standard deviations each answer is better than the others to
    its prompt are on average.

    Where all answers score the same there is nothing to learn: zeros.

    Args:
        scores: What each answer is worth.
        epsilon: Is added to the standard deviation, so that nothing is divided by 0;
            trl's by default. It is in the unit of the scores: where these lie closer
            together than about a hundred times epsilon, the advantages become smaller.

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
            "epsilon must be above 0, because where all answers score the same, the "
            f"standard deviation is 0; got {epsilon}."
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
    """Return minus the clipped objective less the price of KL: a mean over each
    answer's steps, then over answers.

    Args:
        log_probs: The policy's, of the tokens that came.
        old_log_probs: Of the policy that wrote the answers.
        reference_log_probs: Of the model that the policy should stay near to.
        advantages: One for each answer, the same for all its steps.
        mask: Which steps chose a token of the answer.
        clip: See `clipped_objective`.
        kl_weight: The price of one nat a token (k3).

    Raises:
        ValueError: If a row has no answer.

    Source: Shao et al., DeepSeekMath, equations 3 and 4,
    https://arxiv.org/abs/2402.03300
    """
    if not mask.any(dim=1).all():
        raise ValueError(
            "Each row needs an answer of at least one step to learn from; a mask is "
            "False throughout."
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
    """Learns from a batch of answers, and returns the mean loss.

    Args:
        policy: What wrote the answers, at temperature 1.
        reference: The model that it should stay near to.
        optimizer: Moves the policy's parameters.
        rollouts: The answers.
        advantages: How much better each is than the others to its prompt.
        settings: How to learn.
        generator: Decides the order of the answers; None uses torch's global one.

    Raises:
        ValueError: If there are fewer answers than minibatches.

    Source: Shao et al., DeepSeekMath, algorithm 1 (its inner loop),
    https://arxiv.org/abs/2402.03300
    """
    ids, mask = rollouts.ids, rollouts.mask
    if len(ids) < settings.minibatches:
        raise ValueError(
            f"{len(ids)} answers cannot be cut into {settings.minibatches} minibatches."
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
    """Lets the policy answer each prompt several times, learns from it, and returns the
    scores.

    Args:
        policy: What is trained.
        reference: The model that it should stay near to.
        optimizer: Moves the policy's parameters.
        prompts: The tokens of each prompt.
        score: Says what each answer is worth; the answers to a prompt follow one
            another.
        settings: How to learn.
        max_new_tokens: See `generate_rollouts`, as for the next two.
        end_token: What ends an answer.
        generator: Where the chance comes from.
    """
    repeated = [prompt for prompt in prompts for _ in range(settings.group_size)]
    rollouts = generate_rollouts(
        policy, repeated, max_new_tokens, end_token=end_token, generator=generator
    )
    scores = score(rollouts).view(len(prompts), settings.group_size)
    advantages = group_relative_advantages(scores).flatten()
    grpo_update(policy, reference, optimizer, rollouts, advantages, settings, generator)
    return scores
