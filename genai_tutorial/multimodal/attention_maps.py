"""Cross-attention maps: which positions of an image attend to which token of its
caption.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from jaxtyping import Float
from torch import Tensor

from genai_tutorial.diffusion import TextAttention

from .text_to_image import TextToImage

AttentionMap = Float[Tensor, "image token height width"]


@contextmanager
def record_attention_maps(
    model: TextToImage, tokens: int
) -> Iterator[list[AttentionMap]]:
    """Collect the cross-attention maps of every forward pass within the block.

    Each layer of each pass appends one map, the mean over its heads. Passes with a text
    of another length are left out, because guidance also reads the empty text.

    Args:
        model: A text-to-image model whose network is a U-Net.
        tokens: The number of tokens of the caption, with its end and without padding.

    Source: Hertz et al., Prompt-to-Prompt Image Editing with Cross-Attention Control,
        https://arxiv.org/abs/2208.01626
    """
    maps: list[AttentionMap] = []

    def record(layer: TextAttention, inputs: tuple, output: Tensor) -> None:
        x, text = inputs
        if text.tokens.shape[1] == tokens:
            maps.append(layer.weights(x, text).mean(dim=1).detach())

    hooks = [
        layer.register_forward_hook(record)
        for layer in model.network.modules()
        if isinstance(layer, TextAttention)
    ]
    try:
        yield maps
    finally:
        for hook in hooks:
            hook.remove()
