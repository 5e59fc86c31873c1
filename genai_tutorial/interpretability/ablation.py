"""Switching attention heads off, to see what they were good for."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from genai_tutorial.transformer.decoder import DecoderLM


@contextmanager
def switched_off(
    model: DecoderLM, heads: Iterable[tuple[int, int]]
) -> Iterator[DecoderLM]:
    """Silences attention heads inside a `with` block: what they found is replaced by
    zeros.

    Args:
        model: The decoder.
        heads: The number of the layer and the number of the head, both from 0.

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
    >>> with switched_off(model, [(0, 1)]):
    ...     output = model(torch.tensor([[1, 2]]))
    """
    config, heads_per_layer = model.config, model.config.attention.heads
    keep: dict[int, Tensor] = {}
    for layer, head in heads:
        if not (0 <= layer < config.layers and 0 <= head < heads_per_layer):
            raise ValueError(
                f"The model has layers 0 to {config.layers - 1} of heads 0 to "
                f"{heads_per_layer - 1} each; "
                f"got layer {layer}, head {head}."
            )
        ones = torch.ones(heads_per_layer, config.head_width)
        keep.setdefault(layer, ones)[head] = 0.0
    # The output layer reads the heads side by side, so a head is silent when its part
    # of the input is zero.
    hooks = [
        model.blocks[layer].attention.output.register_forward_pre_hook(
            _times(mask.flatten())
        )
        for layer, mask in keep.items()
    ]
    try:
        yield model
    finally:
        for hook in hooks:
            hook.remove()


def _times(mask: Tensor):
    def multiply(_: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
        return (inputs[0] * mask.to(inputs[0]),)

    return multiply
