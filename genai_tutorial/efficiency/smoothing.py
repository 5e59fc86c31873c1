"""Moving a scale from the inputs of a linear layer into its weights.

Divide a feature by s before a linear layer and multiply its column of weights by s: the
output stays the same. The division costs nothing, because it can be folded into the
norm or the linear layer that produces the feature. SmoothQuant uses this to make
activations easier to round, AWQ to make important weights more precise.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genai_tutorial.transformer import DecoderLM, FeedForward

# Smaller maxima count as this, so that dead features get no huge scale.
SMALLEST = 1e-5


@dataclass(frozen=True, eq=False)
class InputGroup:
    """The linear layers of a block that read the same vector."""

    layers: dict[str, nn.Linear]
    source: nn.Module | None

    @property
    def weight(self) -> Float[Tensor, "rows in"]:
        """The matrices of all layers, stacked."""
        return torch.cat([layer.weight.detach() for layer in self.layers.values()])


def input_groups(block: nn.Module) -> list[InputGroup]:
    """Return the groups of a decoder block that read the same vector, in the order of
    the forward pass.
    """
    attention, feed_forward = block.attention, block.feed_forward
    if not isinstance(feed_forward, FeedForward) or not isinstance(
        feed_forward.output, nn.Linear
    ):
        raise ValueError(
            "Only blocks with attention and a feed-forward layer in full precision can "
            f"be taken apart, got {type(feed_forward).__name__}."
        )
    shares_values = attention.value.out_features < attention.output.in_features
    gated = feed_forward.gate is not None
    wide = ("gate", "widen") if gated else ("widen",)
    names: list[tuple[tuple[str, ...], nn.Module | None]] = [
        (
            ("attention.query", "attention.key", "attention.value"),
            block.attention_norm,
        ),
        (("attention.output",), None if shares_values else attention.value),
        (tuple(f"feed_forward.{name}" for name in wide), block.feed_forward_norm),
        (("feed_forward.output",), feed_forward.widen if gated else None),
    ]
    return [
        InputGroup({name: block.get_submodule(name) for name in group}, source)
        for group, source in names
    ]


@torch.no_grad()
def fold_scales(group: InputGroup, scales: Float[Tensor, "in"]) -> None:
    """Multiply the columns of a group's matrices by scales and divide its source by
    them, in place; the block's output stays the same.
    """
    if group.source is None:
        raise ValueError(
            f"{', '.join(group.layers)}: no layer before it can take the scales."
        )
    if not (scales > 0).all() or not scales.isfinite().all():
        raise ValueError(
            "Scales must be positive and finite, got values from "
            f"{float(scales.min())} to {float(scales.max())}."
        )
    for layer in group.layers.values():
        layer.weight.mul_(scales)
    for parameter in group.source.parameters():  # weight and bias, a row per feature
        parameter.div_(scales.view(-1, *[1] * (parameter.dim() - 1)))


def smooth_scales(
    maxima: Float[Tensor, "in"], weight: Float[Tensor, "out in"], alpha: float = 0.5
) -> Float[Tensor, "in"]:
    r"""Return the scale of each input feature that shares its range between activations
    and weights.

    Source: Xiao et al., SmoothQuant, equation 4, https://arxiv.org/abs/2211.10438
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must be from 0 to 1, got {alpha}.")
    largest_weights = weight.abs().amax(dim=0).clamp(min=SMALLEST)
    return maxima.clamp(min=SMALLEST) ** alpha / largest_weights ** (1 - alpha)


def activation_maxima(
    model: DecoderLM, ids: Int[Tensor, "batch position"]
) -> dict[str, Float[Tensor, "in"]]:
    """Return the largest absolute value of each input feature of every linear layer in
    the blocks, by the layer's name.

    >>> from genai_tutorial.transformer import DecoderConfig
    >>> model = DecoderLM(DecoderConfig(vocab_size=65))
    >>> maxima = activation_maxima(model, torch.arange(64)[None])
    >>> len(maxima), maxima["blocks.3.feed_forward.output"].shape
    (24, torch.Size([512]))
    """
    layers = {
        name: layer
        for name, layer in model.named_modules()
        if name.startswith("blocks.") and isinstance(layer, nn.Linear)
    }
    maxima: dict[str, Tensor] = {}

    def observe(name: str, vectors: Tensor) -> None:
        maxima[name] = vectors.abs().amax(dim=0)

    with torch.no_grad(), observing(layers, observe):
        model.read(ids)
    return maxima


@torch.no_grad()
def smoothed(
    model: DecoderLM, ids: Int[Tensor, "batch position"], alpha: float = 0.5
) -> DecoderLM:
    """Return a copy of a decoder with the same output and smaller outliers in the
    inputs of its linear layers.

    Args:
        model: A decoder in full precision.
        ids: Texts on which the maxima are measured.
        alpha: See `smooth_scales`.

    Raises:
        ValueError: If alpha is out of range, or a block has no plain feed-forward
            layer.
    """
    maxima = activation_maxima(model, ids)
    copy = deepcopy(model)
    for index, block in enumerate(copy.blocks):
        for group in input_groups(block):
            if group.source is not None:
                first = next(iter(group.layers))
                inputs = maxima[f"blocks.{index}.{first}"]
                fold_scales(group, smooth_scales(inputs, group.weight, alpha))
    return copy


@contextmanager
def observing(
    layers: Mapping[str, nn.Module], observe: Callable[[str, Tensor], None]
) -> Iterator[None]:
    """Call `observe(name, inputs)` whenever one of these layers reads vectors; the
    inputs are a matrix with a row per vector.
    """

    def watch(name: str):
        return lambda _, inputs: observe(name, inputs[0].detach().flatten(0, -2))

    hooks = [
        layer.register_forward_pre_hook(watch(name)) for name, layer in layers.items()
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
