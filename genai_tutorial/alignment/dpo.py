"""Learning from preferences without reinforcement learning: direct preference
optimization, which trains the policy as a reward model, and best-of-n sampling.

The policy with the highest reward minus β times the KL divergence is π(y) ∝ π_ref(y)
exp(r(y) / β). Every policy therefore has an implicit reward, β log(π(y) / π_ref(y)), up
to a constant per prompt.
"""

import math
from collections.abc import Callable
from copy import deepcopy
from functools import partial

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from genai_tutorial.training import AdamW, TensorBatches, fit, warmup_linear
from genai_tutorial.transformer import DecoderLM

from .preferences import EncodedPairs, preference_losses
from .supervised import answer_log_probs


def implicit_reward(
    log_probs: Float[Tensor, "*answer"],
    reference_log_probs: Float[Tensor, "*answer"],
    beta: float | int,
) -> Float[Tensor, "*answer"]:
    """Return the implicit reward of a policy.

    Args:
        log_probs: The policy's log-probability of each whole answer.
        beta: The KL coefficient, in reward per nat of KL divergence from the reference.

    Source: Rafailov et al., Direct Preference Optimization, equation 5 without its
        constant, https://arxiv.org/abs/2305.18290

    >>> implicit_reward(torch.tensor([-1.0]), torch.tensor([-3.0]), beta=0.1)
    tensor([0.2000])
    """
    return beta * (log_probs - reference_log_probs)


def dpo_losses(
    chosen: Float[Tensor, "*pair"],
    rejected: Float[Tensor, "*pair"],
    reference_chosen: Float[Tensor, "*pair"],
    reference_rejected: Float[Tensor, "*pair"],
    beta: float | int,
) -> Float[Tensor, "*pair"]:
    """Return each comparison's loss, in nats, from the log-probabilities of whole
    answers: the Bradley-Terry model with the policy's implicit reward.

    Args:
        beta: The KL coefficient, in reward per nat of KL divergence from the reference.

    Raises:
        ValueError: If beta is not positive.

    Source: Rafailov et al., Direct Preference Optimization, equation 7,
    https://arxiv.org/abs/2305.18290

    >>> dpo_losses(
    ...     *torch.tensor([[-1.0], [-9.0], [-1.0], [-9.0]]), beta=0.1
    ... )  # as the reference: ln 2
    tensor([0.6931])
    """
    if not beta > 0:
        raise ValueError(f"beta must be above 0, got {beta}.")
    return preference_losses(
        implicit_reward(chosen, reference_chosen, beta),
        implicit_reward(rejected, reference_rejected, beta),
    )


def dpo_loss(
    model: nn.Module,
    chosen_ids: Int[Tensor, "pair position"],
    chosen_is_answer: Bool[Tensor, "pair position"],
    rejected_ids: Int[Tensor, "pair rejected_position"],
    rejected_is_answer: Bool[Tensor, "pair rejected_position"],
    reference_chosen: Float[Tensor, "pair"],
    reference_rejected: Float[Tensor, "pair"],
    beta: float | int = 0.1,
) -> Float[Tensor, ""]:
    """Return the mean loss on a batch of comparisons, in nats; for `fit`."""
    chosen = _trimmed_log_probs(model, chosen_ids, chosen_is_answer)
    rejected = _trimmed_log_probs(model, rejected_ids, rejected_is_answer)
    return dpo_losses(
        chosen, rejected, reference_chosen, reference_rejected, beta
    ).mean()


def _trimmed_log_probs(
    model: nn.Module,
    ids: Int[Tensor, "pair position"],
    is_answer: Bool[Tensor, "pair position"],
) -> Float[Tensor, "pair"]:
    """Do without the positions that are padding in every row."""
    end = int(is_answer.any(dim=0).nonzero().max()) + 1
    return answer_log_probs(model, ids[:, :end], is_answer[:, :end])


def learn_by_dpo(
    reference: DecoderLM,
    pairs: EncodedPairs,
    steps: int,
    *,
    beta: float | int = 0.1,
    batch_size: int = 16,
    learning_rate: float = 5e-4,
    seed: int = 0,
    watch: Callable[[int, DecoderLM], None] | None = None,
    watch_every: int = 1,
) -> tuple[DecoderLM, list[float]]:
    """Train a copy of a model on preference pairs by DPO, with AdamW, warmup and a
    linear decay.

    Args:
        reference: The initial policy and the reference; it is not changed.
        beta: The KL coefficient, in reward per nat of KL divergence from the reference.
        learning_rate: The learning rate after the warmup.
        watch: Called with the number of updates done and the policy.
        watch_every: The number of updates between two calls of `watch`.

    Returns:
        The policy, and the loss of each step.
    """
    sides = (pairs.chosen, pairs.rejected)
    rows = [tensor for side in sides for tensor in (side.ids, side.is_answer)]
    with torch.no_grad():
        known = [
            torch.cat(
                [
                    _trimmed_log_probs(reference, ids, is_answer)
                    for ids, is_answer in zip(
                        side.ids.split(64), side.is_answer.split(64), strict=True
                    )
                ]
            )
            for side in sides
        ]
    policy, done = deepcopy(reference).train(), 0

    def evaluate(model: nn.Module) -> float:
        nonlocal done
        done += watch_every
        if watch is not None:
            watch(done, policy)
        return 0.0

    run = fit(
        policy,
        TensorBatches([*rows, *known], batch_size, seed),
        partial(dpo_loss, beta=beta),
        AdamW(policy.parameters(), lr=learning_rate),
        steps=steps,
        schedule=warmup_linear(steps, min(10, steps)),
        evaluate=None if watch is None else evaluate,
        evaluate_every=None if watch is None else watch_every,
        progress=False,
    )
    return policy.eval(), run.losses


def best_of_n_kl(n: int) -> float:
    """Return the KL divergence between best-of-n and plain sampling, in nats.

    It is exact if no two answers have the same score, and an upper bound otherwise.

    Raises:
        ValueError: If `n` is less than one.

    Source: Stiennon et al., Learning to summarize from human feedback, appendix G.3,
        https://arxiv.org/abs/2009.01325

    >>> best_of_n_kl(1), round(best_of_n_kl(64), 3)
    (0.0, 3.175)
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}.")
    return math.log(n) - (n - 1) / n


def best_of_n(
    scores: Float[Tensor, "prompt sample"],
    values: Float[Tensor, "prompt sample"],
    n: int,
) -> Float[Tensor, "prompt"]:
    r"""Return the expected value of the highest-scoring of n samples.

    All N samples of a prompt are used, so the estimate is unbiased and less noisy than
    drawing n of them: the sample ranked i-th from the bottom is the best of n with
    probability $\binom{i - 1}{n - 1} / \binom{N}{n}$.

    Args:
        scores: The score by which the best is chosen, such as a reward model's.
        values: The quantity to average for the chosen sample, such as its gold score.

    Raises:
        ValueError: If the shapes differ, or `n` is not from 1 to N.

    Source: Nakano et al., WebGPT, appendix I, https://arxiv.org/abs/2112.09332

    >>> scores, values = torch.tensor([[[3.0, 1.0, 2.0]], [[9.0, 0.0, 3.0]]])
    >>> best_of_n(scores, values, 1), best_of_n(scores, values, 2)
    (tensor([4.]), tensor([7.]))
    """
    count = scores.shape[1]
    if scores.shape != values.shape or not 1 <= n <= count:
        raise ValueError(
            "scores and values must have the same shape and n must be from 1 to the "
            f"number of samples, got {tuple(scores.shape)}, {tuple(values.shape)}, {n}."
        )
    weights = torch.tensor(
        [math.comb(rank, n - 1) / math.comb(count, n) for rank in range(count)],
        dtype=torch.float64,
        device=values.device,
    )
    by_rank = values.double().gather(1, scores.argsort(dim=1, stable=True))
    return (by_rank * weights).sum(dim=1).to(values)
