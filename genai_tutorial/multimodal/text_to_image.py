"""Text to image: a text encoder and a denoising network that attends to its tokens,
trained together.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genai_tutorial.diffusion import (
    Denoiser,
    DiT,
    DiTConfig,
    Model,
    NoiseSchedule,
    Prediction,
    TextAttention,
    TextCondition,
    UNet,
    UNetConfig,
)

from .encoders import TextEncoder, TextEncoderConfig


class TextToImage(nn.Module):
    """A denoising network that is conditioned on text, given as token ids.

    The text encoder has no separate loss: it is trained by the loss of the denoising
    network.

    Args:
        text: The settings of the text encoder.
        network: The settings of the denoising network, whose `text_width` is the text
            encoder's width.

    Source: Rombach et al., High-Resolution Image Synthesis with Latent Diffusion
        Models, section 3.3, https://arxiv.org/abs/2112.10752
    """

    def __init__(
        self, text: TextEncoderConfig, network: UNetConfig | DiTConfig, seed: int = 0
    ):
        super().__init__()
        self.encoder = TextEncoder(text, seed)
        kind = UNet if isinstance(network, UNetConfig) else DiT
        self.network = kind(network, seed)

    def forward(
        self,
        x: Float[Tensor, "batch channel height width"],
        t: Float[Tensor, "batch"],
        condition: Int[Tensor, "batch token"] | TextCondition | None = None,
    ) -> Float[Tensor, "batch _ height width"]:
        """Return the prediction for noisy images.

        Args:
            condition: The tokens of each text with its end token, or features as `read`
                returns them; None for the empty text, which is an end token only.
        """
        return self.network(x, t, self.read_condition(x, condition))

    def read_condition(
        self,
        x: Float[Tensor, "batch channel height width"],
        condition: Int[Tensor, "batch token"] | TextCondition | None,
    ) -> TextCondition:
        """Return the features of the texts of a batch in the form that the network
        expects; None means empty texts.
        """
        if condition is None:
            condition = self.empty(len(x), x.device)
        if isinstance(condition, TextCondition):
            return condition
        return self.read(condition)

    def read(
        self, ids: Int[Tensor, "batch token"], words_alone: bool = False
    ) -> TextCondition:
        """Return the features of each token, in the form that the network expects.

        Args:
            words_alone: Encode each token without the others, to see what the context
                contributes.
        """
        encode = self.encoder.encode_tokens_alone if words_alone else self.encoder
        features = encode(ids)
        return TextCondition(features.tokens, features.mask)

    def empty(
        self, count: int, device: torch.device | None = None
    ) -> Int[Tensor, "batch 1"]:
        """Return empty texts, for unconditional predictions."""
        return torch.full((count, 1), self.encoder.config.end, device=device)


def drop_texts(
    ids: Int[Tensor, "batch token"],
    fraction: float | int,
    empty: Int[Tensor, "token"],
    generator: torch.Generator,
) -> Int[Tensor, "batch token"]:
    """Replace some texts by the empty one, so that one network learns the conditional
    and the unconditional prediction.

    Args:
        fraction: The probability that each text is dropped.
        empty: The tokens of the empty text, padded to the length of the others.

    Raises:
        ValueError: If `fraction` is not between 0 and 1.

    >>> texts = torch.tensor([[4, 5, 1], [3, 1, 0]])
    >>> drop_texts(
    ...     texts, 1.0, empty=torch.tensor([1, 0, 0]), generator=torch.Generator()
    ... )
    tensor([[1, 0, 0],
            [1, 0, 0]])
    """
    if not 0 <= fraction <= 1:
        raise ValueError(f"fraction must be from 0 to 1, got {fraction}.")
    dropped = torch.rand(len(ids), generator=generator).to(ids.device) < fraction
    return torch.where(dropped[:, None], empty.to(ids.device), ids)


AttentionMap = Float[Tensor, "image token height width"]


@contextmanager
def record_attention_maps(
    model: TextToImage, tokens: int
) -> Iterator[list[AttentionMap]]:
    """Collect the cross-attention maps of every forward pass within the block.

    Each layer of each pass appends one map, the mean over its heads. Passes with a text
    of another length are left out, because guidance also reads the empty text.

    Args:
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


@torch.no_grad()
def denoising_errors(
    model: Model,
    path: NoiseSchedule,
    prediction: Prediction,
    x0: Float[Tensor, "image channel height width"],
    condition: Int[Tensor, "image token"] | TextCondition | None,
    *,
    times: Sequence[int],
    seed: int,
) -> Float[Tensor, "image"]:
    """Return for each image the mean squared error of the predicted clean image, over
    several noise levels.

    The noise depends on the seed alone, so two calls with different captions compare
    them on the same noisy images.

    Args:
        path: The noise schedule that the model was trained on.
        prediction: The quantity that it was trained to output.
        x0: The clean images, with values from -1 to 1.
        condition: A text per image, or None.
        times: The timesteps at which noise is added.

    Raises:
        ValueError: If there is no timestep.

    Source: Li et al., Your Diffusion Model is Secretly a Zero-Shot Classifier,
        https://arxiv.org/abs/2303.16203
    """
    if not times:
        raise ValueError("times must name at least one timestep, got none.")
    generator = torch.Generator().manual_seed(seed)
    denoise = Denoiser(model, path, prediction, condition)
    errors = torch.zeros(len(x0), device=x0.device)
    for t in times:
        noise = torch.randn(x0.shape, generator=generator).to(x0.device)
        predicted = denoise(path.add_noise(x0, noise, t), t).x0
        errors += (predicted - x0).square().mean(dim=(1, 2, 3))
    return errors / len(times)
