"""Ablation: replace the output of attention heads and measure what that costs."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genai_tutorial.transformer import AttentionContext, DecoderLM


@contextmanager
def ablated(
    model: DecoderLM,
    heads: Iterable[tuple[int, int]],
    means: Float[Tensor, "layer head dim"] | None = None,
) -> Iterator[DecoderLM]:
    """Ablate attention heads inside a `with` block.

    Args:
        heads: The index of the layer and the index of the head, both from 0.
        means: The vectors that replace the heads' outputs, such as the result of
            `mean_head_outputs` (mean ablation); None means zeros (zero ablation).

    Raises:
        ValueError: If there is no such head.

    Source: Michel et al., Are Sixteen Heads Really Better than One?, section 2.3,
    https://arxiv.org/abs/1905.10650

    >>> from genai_tutorial.transformer import DecoderConfig
    >>> model = DecoderLM(
    ...     DecoderConfig.gpt2(
    ...         vocab_size=9, context_length=4, width=8, layers=1, heads=2
    ...     )
    ... )
    >>> with ablated(model, [(0, 1)]):
    ...     output = model(torch.tensor([[1, 2]]))
    """
    config, heads_per_layer = model.config, model.config.attention.heads
    chosen: dict[int, list[int]] = {}
    for layer, head in heads:
        if not (0 <= layer < config.layers and 0 <= head < heads_per_layer):
            raise ValueError(
                f"The model has layers 0 to {config.layers - 1} of heads 0 to "
                f"{heads_per_layer - 1} each; "
                f"got layer {layer}, head {head}."
            )
        chosen.setdefault(layer, []).append(head)
    hooks = []
    for layer, off in chosen.items():
        mask = torch.zeros(heads_per_layer, config.head_width, dtype=torch.bool)
        mask[off] = True
        value = torch.zeros(mask.shape) if means is None else means[layer]
        hooks.append(_replace(model, layer, mask.flatten(), value.flatten()))
    try:
        yield model
    finally:
        for hook in hooks:
            hook.remove()


@torch.no_grad()
def mean_head_outputs(
    model: DecoderLM, ids: Int[Tensor, "batch position"]
) -> Float[Tensor, "layer head dim"]:
    """Return each head's output, averaged over all positions of all rows."""
    means = []
    hooks = [
        block.attention.output.register_forward_pre_hook(
            lambda _, inputs: means.append(inputs[0].mean(dim=(0, 1)))
        )
        for block in model.blocks
    ]
    try:
        model.read(ids)
    finally:
        for hook in hooks:
            hook.remove()
    return torch.stack(means).unflatten(-1, (model.config.attention.heads, -1))


@torch.no_grad()
def ablation_costs(
    model: DecoderLM,
    ids: Int[Tensor, "batch position"],
    means: Float[Tensor, "layer head dim"] | None = None,
    first_target: int = 1,
) -> Float[Tensor, "layer head"]:
    """Return by how much the loss grows, in nats per token, when one head is ablated,
    for every head in turn.

    The layers below a head are computed once, and the heads of a layer are ablated in
    one batch, so that all heads together cost about half as many operations as one
    forward pass for each.

    Args:
        means: The vectors that replace the heads' outputs; None means zeros.
        first_target: The first position that counts as a target.

    Raises:
        ValueError: If no position is left to predict.
    """
    if not 1 <= first_target < ids.shape[1]:
        raise ValueError(
            f"first_target must be from 1 to {ids.shape[1] - 1}, the last position of "
            f"the text, got {first_target}."
        )
    heads, width = model.config.attention.heads, model.config.head_width
    which = torch.eye(heads, dtype=torch.bool).repeat_interleave(width, dim=1)
    # A row of the mask for each copy of the text: copy h has head h ablated.
    mask = which.repeat_interleave(len(ids), dim=0)[:, None]
    costs = []
    x = model.embed(ids, AttentionContext())
    for layer, block in enumerate(model.blocks):
        value = torch.zeros(heads, width) if means is None else means[layer]
        copies = x.repeat(heads, 1, 1)
        hook = _replace(model, layer, mask, value.flatten())
        try:
            copies = block(copies)
        finally:
            hook.remove()
        for later in model.blocks[layer + 1 :]:
            copies = later(copies)
        costs.append(_loss_per_copy(model, copies, ids, first_target, heads))
        x = block(x)
    intact = _loss_per_copy(model, x, ids, first_target, 1)
    return torch.stack(costs) - intact


def _replace(model: DecoderLM, layer: int, mask: Tensor, value: Tensor):
    # The output projection reads the heads side by side: each is a part of its input.
    def replace(_: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
        x = inputs[0]
        return (torch.where(mask.to(x.device), value.to(x), x),)

    output = model.blocks[layer].attention.output
    return output.register_forward_pre_hook(replace)


def _loss_per_copy(
    model: DecoderLM, x: Tensor, ids: Tensor, first_target: int, copies: int
) -> Float[Tensor, "copy"]:
    logits = model.logits(x[:, first_target - 1 : -1])
    targets = ids[:, first_target:].repeat(copies, 1)
    losses = nn.functional.cross_entropy(
        logits.transpose(1, 2), targets, reduction="none"
    )
    return losses.unflatten(0, (copies, -1)).mean(dim=(1, 2))
