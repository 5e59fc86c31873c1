"""Pruning single weights: masks of those that are kept, and healing, which trains the
rest without bringing the others back.

Zeros save memory only if they are not stored, and time only if the kernel can skip
them. A mask costs a bit per weight; a pattern such as two zeros in every four weights
is what GPUs have instructions for.
"""

from collections.abc import Callable, Iterable, Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from genai_tutorial.training import CombinedOptimizer, train_step, training_loop
from genai_tutorial.transformer import DecoderLM

from .smoothing import observing

Masks = dict[str, Tensor]
"""For each linear layer in the blocks, by its name: True for the weights to keep."""


def block_matrices(model: DecoderLM) -> dict[str, nn.Linear]:
    """Return the linear layers in a decoder's blocks, by name, without the output layer
    and the embeddings.
    """
    return {
        name: layer
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Linear) and name.startswith("blocks.")
    }


def magnitude_masks(model: DecoderLM, share: float | int) -> Masks:
    """Return masks that drop the smallest weights of each matrix.

    Args:
        share: The share of each matrix to drop.

    Raises:
        ValueError: If the share is not at least 0 and below 1.

    Source: Han et al., Learning both Weights and Connections for Efficient Neural
        Networks, section 3, https://arxiv.org/abs/1506.02626
    """
    return {
        name: largest(layer.weight.abs().flatten(), share).view_as(layer.weight)
        for name, layer in block_matrices(model).items()
    }


@torch.no_grad()
def activation_masks(
    model: DecoderLM, ids: Int[Tensor, "batch position"], share: float | int
) -> Masks:
    """Return masks that drop the weights of each row with the smallest effect: the
    absolute weight times the norm of its input over the text (Wanda).

    Args:
        ids: Texts on which the inputs are observed.
        share: The share of each row to drop.

    Raises:
        ValueError: If the share is not at least 0 and below 1.

    Source: Sun et al., A Simple and Effective Pruning Approach for Large Language
        Models, equation 1, https://arxiv.org/abs/2306.11695
    """
    matrices, norms = block_matrices(model), {}

    def keep(name: str, vectors: Tensor) -> None:
        norms[name] = vectors.norm(dim=0)

    with observing(matrices, keep):
        model(ids)
    return {
        name: largest(layer.weight.abs() * norms[name], share)
        for name, layer in matrices.items()
    }


def pattern_masks(model: DecoderLM, keep: int = 2, of: int = 4) -> Masks:
    """Return masks that keep the largest weights in each group of neighbours in a row:
    2 of 4 is the pattern that GPUs multiply at twice the speed.

    Raises:
        ValueError: If `keep` is not from 1 to `of`, or the groups do not fill a row.

    Source: Mishra et al., Accelerating Sparse Deep Neural Networks,
        https://arxiv.org/abs/2104.08378
    """
    if not 1 <= keep <= of:
        raise ValueError(f"keep must be from 1 to {of}, got {keep}.")
    masks = {}
    for name, layer in block_matrices(model).items():
        if layer.in_features % of:
            raise ValueError(
                f"{name} has {layer.in_features} inputs, not a multiple of {of}."
            )
        groups = layer.weight.detach().abs().reshape(-1, of)
        masks[name] = largest(groups, 1 - keep / of).view(layer.weight.shape)
    return masks


def largest(
    scores: Float[Tensor, "*rows score"], share: float | int
) -> Bool[Tensor, "*rows score"]:
    """Return which scores of each row stay if a share of them is dropped, the smallest
    ones; at least one stays.
    """
    if not 0 <= share < 1:
        raise ValueError(f"share must be at least 0 and below 1, got {share}.")
    dropped = min(round(share * scores.shape[-1]), scores.shape[-1] - 1)
    order = scores.detach().argsort(dim=-1)
    kept = torch.ones_like(scores, dtype=torch.bool)
    return kept.scatter(-1, order[..., :dropped], False)


@torch.no_grad()
def apply_masks(model: DecoderLM, masks: Masks) -> None:
    """Set the weights that the masks drop to zero, in place.

    Raises:
        ValueError: If the model has no linear layer of a mask's name and shape.
    """
    matrices = block_matrices(model)
    for name, mask in masks.items():
        if name not in matrices or matrices[name].weight.shape != mask.shape:
            raise ValueError(
                f"The model has no matrix {name!r} of shape {tuple(mask.shape)}."
            )
        matrices[name].weight.mul_(mask)


def heal(
    model: DecoderLM,
    masks: Masks,
    batches: Iterable[Sequence[Tensor]],
    loss_fn: Callable[..., Tensor],
    optimizer: torch.optim.Optimizer | CombinedOptimizer,
    *,
    steps: int,
    progress: bool = True,
) -> list[float]:
    """Train a pruned model in place and return the losses; the dropped weights are set
    to zero again after each step.

    Args:
        model: The decoder; the masks are applied before the first step.
        masks: The weights to keep.
        batches: See `fit`, as for the next two.
        loss_fn: Called as `loss_fn(model, *batch)`.
        optimizer: Updates the model's parameters.

    Raises:
        ValueError: If the masks do not fit the model.
    """
    apply_masks(model, masks)
    model.train()
    losses = []
    loop = training_loop(steps, label="healing", progress=progress)
    for _, batch in zip(loop, batches, strict=False):
        losses.append(train_step(model, batch, loss_fn, optimizer))
        apply_masks(model, masks)
    model.eval()
    return losses


def sparse_bits_per_weight(share: float | int, bits: float | int) -> float:
    """Return the storage per weight of a pruned matrix: one bit of mask, and `bits` for
    each weight that is kept.

    Raises:
        ValueError: If the share is not from 0 to 1.

    >>> sparse_bits_per_weight(0.5, bits=8), sparse_bits_per_weight(0.5, bits=4)
    (5.0, 3.0)
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share must be from 0 to 1, got {share}.")
    return float(1 + (1 - share) * bits)
