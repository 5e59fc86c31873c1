"""Which input tokens did an output depend on? Scores by ablation, by gradients and from
attention weights.
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

_Score = Callable[[Float[Tensor, "batch position width"]], Float[Tensor, "batch"]]
"""A function of the tokens' embeddings, such as the logit of one answer."""


@torch.no_grad()
def ablate_tokens(
    score: _Score,
    vectors: Float[Tensor, "batch position width"],
    replacement: Float[Tensor, "*#batch width"],
    positions: Sequence[int],
) -> Float[Tensor, "batch place"]:
    """Return by how much the score falls when one token's embedding is replaced, for
    each of the given positions in turn.

    Args:
        replacement: One vector for all rows, or one for each.

    >>> x = torch.tensor([[[2.0], [3.0]]])
    >>> ablate_tokens(lambda v: v.prod(dim=1)[:, 0], x, torch.zeros(1), [0, 1])
    tensor([[6., 6.]])
    """
    intact = score(vectors)
    losses = []
    for position in positions:
        changed = vectors.clone()
        changed[:, position] = replacement
        losses.append(intact - score(changed))
    return torch.stack(losses, dim=1)


def input_gradients(
    score: _Score, vectors: Float[Tensor, "batch position width"]
) -> Float[Tensor, "batch position width"]:
    """Return the gradient of the score with respect to each token's embedding."""
    with torch.enable_grad():
        x = vectors.detach().requires_grad_()
        return torch.autograd.grad(score(x).sum(), x)[0]


def integrated_gradients(
    score: _Score,
    vectors: Float[Tensor, "batch position width"],
    baseline: Float[Tensor, "width"],
    steps: int = 20,
) -> Float[Tensor, "batch position"]:
    """Return each token's part in the score: the gradients along the straight line from
    the baseline to the tokens, averaged, times the difference between the two.

    With enough steps, the parts of a row add up to the score of the tokens minus that
    of the baseline. The integral is approximated at the middles of equal steps.

    Args:
        baseline: The embedding at which every token starts.

    Source: Sundararajan et al., Axiomatic Attribution for Deep Networks, equations 1
        and 3, https://arxiv.org/abs/1703.01365

    >>> x = torch.tensor([[[2.0], [3.0]]])
    >>> integrated_gradients(lambda v: v.prod(dim=1)[:, 0], x, torch.zeros(1)).round()
    tensor([[3., 3.]])
    """
    difference = vectors - baseline
    total = torch.zeros_like(vectors)
    for step in range(steps):
        total += input_gradients(score, baseline + difference * (step + 0.5) / steps)
    return (difference * total / steps).sum(dim=-1)


def attention_rollout(
    maps: Float[Tensor, "layer batch head query key"],
) -> Float[Tensor, "batch query key"]:
    """Return how much of each input reaches each position, if half of every layer's
    output came through the residual connection and half through the average head.

    Source: Abnar and Zuidema, Quantifying Attention Flow in Transformers, section 3,
        https://arxiv.org/abs/2005.00928
    """
    same = torch.eye(maps.shape[-1], dtype=maps.dtype, device=maps.device)
    reached = same
    for layer in maps.mean(dim=2):
        reached = (0.5 * layer + 0.5 * same) @ reached
    return reached
