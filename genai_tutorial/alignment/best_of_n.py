"""Best-of-n sampling: draw n answers and keep the one that a reward model scores
highest.

It needs no training, and its KL divergence from the model that it samples from has a
closed form. That makes it the cheapest way to see over-optimization: as n grows, the
answers are optimized ever more strongly for the reward model.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor


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
        values: What to average for the chosen sample, such as its gold score.
        n: The number of samples to choose from, at most N.

    Raises:
        ValueError: If the shapes differ, or `n` is not from 1 to N.

    Source: Nakano et al., WebGPT, appendix I, https://arxiv.org/abs/2112.09332

    >>> scores, values = (
    ...     torch.tensor([[3.0, 1.0, 2.0]]),
    ...     torch.tensor([[9.0, 0.0, 3.0]]),
    ... )
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
