"""Pruning: single weights by masks, whole units of feed-forward layers, or whole
blocks.

Zeros save memory only if they are not stored, and time only if the kernel can skip
them. A mask costs a bit per weight; a pattern such as two zeros in every four weights
is what GPUs have instructions for.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from genai_tutorial.transformer import AttentionContext, DecoderLM, next_token_loss

from .calibration import block_matrices, observing, plain_feed_forward

Masks = dict[str, Tensor]
"""For each linear layer in the blocks, by its name: True for the weights to keep."""


def magnitude_masks(model: DecoderLM, share: float | int) -> Masks:
    """Return masks that drop a share of each matrix, its smallest weights.

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
    """Return masks that drop a share of each row, the weights with the smallest effect:
    the absolute weight times the norm of its input over these texts (Wanda).

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


def pattern_masks(model: DecoderLM) -> Masks:
    """Return masks that keep the two largest of every four neighbours in a row, the
    pattern that GPUs multiply at twice the speed.

    Raises:
        ValueError: If the groups of four do not fill a row.

    Source: Mishra et al., Accelerating Sparse Deep Neural Networks,
        https://arxiv.org/abs/2104.08378
    """
    masks = {}
    for name, layer in block_matrices(model).items():
        if layer.in_features % 4:
            raise ValueError(
                f"{name} has {layer.in_features} inputs, not a multiple of 4."
            )
        groups = layer.weight.detach().abs().reshape(-1, 4)
        masks[name] = largest(groups, 0.5).view(layer.weight.shape)
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


@dataclass(frozen=True, eq=False)
class UnitScores:
    """The importance of each hidden unit and of each attention head."""

    hidden: Float[Tensor, "layer unit"]
    heads: Float[Tensor, "layer head"]


def unit_scores(model: DecoderLM, ids: Int[Tensor, "batch position"]) -> UnitScores:
    r"""Return how much the loss would change without each unit or head, to first order.

    $$\left|\sum_t a_t \, \frac{\partial L}{\partial a_t}\right|$$

    with the unit's activations $a_t$, summed over a text's positions and averaged over
    the texts; for a head, the sum also runs over its features.

    Args:
        ids: Texts of two tokens or more.

    Raises:
        ValueError: If a block has no plain feed-forward layer.

    Source: Molchanov et al., Pruning Convolutional Neural Networks for Resource
        Efficient Inference, equation 7, https://arxiv.org/abs/1611.06440; Michel et
        al., Are Sixteen Heads Really Better than One?, equation 2,
        https://arxiv.org/abs/1905.10650
    """
    layers = [
        layer
        for block in model.blocks
        for layer in (plain_feed_forward(block).output, block.attention.output)
    ]
    inputs: dict[nn.Module, Tensor] = {}

    def remember(layer: nn.Module, arguments: tuple[Tensor]) -> tuple[Tensor]:
        inputs[layer] = arguments[0].detach().requires_grad_()
        # The sum lets the gradient pass on and stops at the copy as well.
        return (arguments[0] + inputs[layer] - inputs[layer].detach(),)

    hooks = [layer.register_forward_pre_hook(remember) for layer in layers]
    try:
        loss = next_token_loss(model(ids[:, :-1]), ids[:, 1:])
        gradients = torch.autograd.grad(loss, [inputs[layer] for layer in layers])
    finally:
        for hook in hooks:
            hook.remove()
    effects = [
        (inputs[layer].detach() * gradient).sum(dim=1) * len(ids)
        for layer, gradient in zip(layers, gradients, strict=True)
    ]
    heads = [
        effect.view(len(ids), -1, model.config.head_width).sum(dim=-1)
        for effect in effects[1::2]
    ]
    return UnitScores(
        torch.stack([effect.abs().mean(dim=0) for effect in effects[::2]]),
        torch.stack([effect.abs().mean(dim=0) for effect in heads]),
    )


@torch.no_grad()
def narrow_feed_forward(
    model: DecoderLM, scores: Float[Tensor, "layer unit"], width: int
) -> DecoderLM:
    """Return a smaller decoder with the best hidden units of each block.

    Args:
        scores: The importance of each unit, such as `UnitScores.hidden`.
        width: The number of units to keep per block.

    Raises:
        ValueError: If the width is out of range, the scores do not fit, or a block has
            no plain feed-forward layer.
    """
    config = model.config
    if scores.shape != (config.layers, config.hidden_width):
        raise ValueError(
            f"scores must have {config.layers} rows of {config.hidden_width}, got "
            f"{tuple(scores.shape)}."
        )
    if not 1 <= width <= config.hidden_width:
        raise ValueError(f"width must be from 1 to {config.hidden_width}, got {width}.")
    for block in model.blocks:
        plain_feed_forward(block)
    narrow = DecoderLM(
        replace(config, feed_forward=replace(config.feed_forward, width=width)), None
    ).to(scores.device)
    state = model.state_dict()
    for layer, row in enumerate(scores):
        kept = row.topk(width).indices.sort().values
        name = f"blocks.{layer}.feed_forward"
        for part in ("gate.weight", "gate.bias", "widen.weight", "widen.bias"):
            if f"{name}.{part}" in state:
                state[f"{name}.{part}"] = state[f"{name}.{part}"][kept]
        state[f"{name}.output.weight"] = state[f"{name}.output.weight"][:, kept]
    narrow.load_state_dict(state)
    return narrow.train(model.training)


@torch.no_grad()
def block_influence(
    model: DecoderLM, ids: Int[Tensor, "batch position"]
) -> Float[Tensor, "layer"]:
    """Return how much each block turns the residual stream: one minus the mean cosine
    of its inputs and outputs.

    Source: Men et al., ShortGPT, equation 1, https://arxiv.org/abs/2403.03853
    """
    states = [model.embed(ids, AttentionContext())]
    for block in model.blocks:
        states.append(block(states[-1]))
    stacked = torch.stack(states)
    cosines = nn.functional.cosine_similarity(stacked[:-1], stacked[1:], dim=-1)
    return 1 - cosines.mean(dim=(1, 2))


def keep_blocks(model: DecoderLM, kept: Sequence[int]) -> DecoderLM:
    """Return a smaller decoder that has only some of the blocks, in their order.

    Raises:
        ValueError: If no block is kept, or one does not exist.
    """
    chosen = sorted(set(kept))
    if not chosen or not 0 <= chosen[0] <= chosen[-1] < len(model.blocks):
        raise ValueError(
            f"kept must be numbers from 0 to {len(model.blocks) - 1}, at least one; "
            f"got {list(kept)}."
        )
    copy = deepcopy(model)
    copy.config = replace(copy.config, layers=len(chosen))
    copy.blocks = nn.ModuleList(copy.blocks[index] for index in chosen)
    for layer, block in enumerate(copy.blocks):
        block.attention.layer = layer  # the index of its keys in a cache
    return copy
