"""Transformer encoders of texts and of images."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from genai_tutorial.transformer import FeedForward, LearnedPositions, MultiHeadAttention


@dataclass(frozen=True)
class EncoderConfig:
    """The settings of a stack of encoder blocks.

    Attributes:
        width: The number of features of a position's vector.
        heads: The number of attention heads in a block; must divide `width`.
        feed_forward_width: The number of features inside a feed-forward layer; None
            means four times `width`.
    """

    width: int
    layers: int
    heads: int
    feed_forward_width: int | None = None

    @property
    def hidden_width(self) -> int:
        """The number of features inside a feed-forward layer."""
        return self.feed_forward_width or 4 * self.width


class EncoderBlock(nn.Module):
    """One layer of the encoder: attention, then feed-forward, each with layer
    normalization before it and a residual connection around both.

    Source: Dosovitskiy et al., An Image is Worth 16x16 Words, equations 2 and 3,
        https://arxiv.org/abs/2010.11929
    """

    def __init__(self, config: EncoderConfig, causal: bool):
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.width)
        self.attention = MultiHeadAttention(
            config.width, config.heads, bias=True, causal=causal
        )
        self.feed_forward_norm = nn.LayerNorm(config.width)
        self.feed_forward = FeedForward(
            config.width, config.hidden_width, "gelu", bias=True
        )

    def forward(
        self, x: Float[Tensor, "batch position width"]
    ) -> Float[Tensor, "batch position width"]:
        """Apply attention and feed-forward, each with a residual connection."""
        x = x + self.attention(self.attention_norm(x))
        return x + self.feed_forward(self.feed_forward_norm(x))


class Encoder(nn.Sequential):
    """A stack of encoder blocks.

    Args:
        causal: If true, a position attends only to itself and earlier positions.

    >>> Encoder(EncoderConfig(width=8, layers=2, heads=2), causal=False)(
    ...     torch.zeros(3, 5, 8)
    ... ).shape
    torch.Size([3, 5, 8])
    """

    def __init__(self, config: EncoderConfig, causal: bool):
        super().__init__(*(EncoderBlock(config, causal) for _ in range(config.layers)))


@torch.no_grad()
def initialize(model: nn.Module, seed: int) -> None:
    """Initialize the weights of a model made of encoders: linear layers get normal
    weights of standard deviation 1/sqrt(inputs) and zero biases, the output layers of
    residual branches half of that, and token embeddings a standard deviation of 0.1.
    """
    generator = torch.Generator().manual_seed(seed)
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            inputs = module.weight[0].numel()
            scale = 0.5 if name.endswith("output") else 1.0
            module.weight.normal_(0.0, scale / math.sqrt(inputs), generator=generator)
            if module.bias is not None:
                module.bias.zero_()
        elif isinstance(module, nn.Embedding):
            module.weight.normal_(0.0, 0.1, generator=generator)


@dataclass(frozen=True)
class TextEncoderConfig:
    """The settings of a text encoder.

    Attributes:
        context_length: The largest number of tokens in a text, with its end.
        end: The token that ends each text.
    """

    encoder: EncoderConfig
    vocab_size: int
    context_length: int
    end: int


@dataclass(frozen=True)
class TextFeatures:
    """The output of a text encoder."""

    tokens: Float[Tensor, "batch token features"]
    pooled: Float[Tensor, "batch features"]
    mask: Bool[Tensor, "batch token"]


class TextEncoder(nn.Module):
    """A causal Transformer that encodes texts.

    Source: Radford et al., Learning Transferable Visual Models From Natural Language
        Supervision, section 2.4, https://arxiv.org/abs/2103.00020
    """

    def __init__(self, config: TextEncoderConfig, seed: int = 0):
        super().__init__()
        width = config.encoder.width
        self.config = config
        self.token_embedding = nn.Embedding(config.vocab_size, width)
        self.positions = LearnedPositions(config.context_length, width)
        self.encoder = Encoder(config.encoder, causal=True)
        self.final_norm = nn.LayerNorm(width)
        initialize(self, seed)
        with torch.no_grad():
            self.positions.weight.normal_(
                0.0, 0.02, generator=torch.Generator().manual_seed(seed)
            )

    def forward(self, ids: Int[Tensor, "batch token"]) -> TextFeatures:
        """Encode texts."""
        return self._features(ids, self.encoder(self._embed(ids)))

    def encode_tokens_alone(self, ids: Int[Tensor, "batch token"]) -> TextFeatures:
        """Encode each token, at its position, as if it were the only one in its text:
        no token attends to another.
        """
        vectors = self._embed(ids)
        alone = self.encoder(vectors.flatten(0, 1)[:, None])
        return self._features(ids, alone.view_as(vectors))

    def _embed(
        self, ids: Int[Tensor, "batch token"]
    ) -> Float[Tensor, "batch token width"]:
        if ids.shape[1] > self.config.context_length:
            raise ValueError(
                f"A text has at most {self.config.context_length} tokens, got "
                f"{ids.shape[1]}."
            )
        return self.positions(self.token_embedding(ids))

    def _features(
        self, ids: Int[Tensor, "batch token"], x: Float[Tensor, "batch token width"]
    ) -> TextFeatures:
        is_end = ids == self.config.end
        if not bool(is_end.any(dim=1).all()):
            raise ValueError(
                f"Each text must have its end, token {self.config.end}, as "
                "`WordTokenizer.encode` gives it."
            )
        end = is_end.int().argmax(dim=1)  # the first, if there are several
        tokens = self.final_norm(x)
        rows = torch.arange(len(tokens), device=tokens.device)
        positions = torch.arange(tokens.shape[1], device=tokens.device)
        return TextFeatures(tokens, tokens[rows, end], positions <= end[:, None])


@dataclass(frozen=True)
class ImageEncoderConfig:
    """The settings of a vision Transformer.

    Attributes:
        image_size: Height and width of an image in pixels.
        patch_size: Height and width of a patch; must divide `image_size`.
        channels: 3 for red, green and blue, 1 for grey.
    """

    encoder: EncoderConfig
    image_size: int = 32
    patch_size: int = 4
    channels: int = 3

    @property
    def patches(self) -> int:
        """The number of patches in an image."""
        return (self.image_size // self.patch_size) ** 2


class ImageEncoder(nn.Module):
    """Encodes an image as one vector.

    One linear layer turns each patch into a vector. A learned vector, the class token,
    comes first; it belongs to no patch, and its output after the last block represents
    the whole image.

    Source: Dosovitskiy et al., An Image is Worth 16x16 Words, section 3.1,
        https://arxiv.org/abs/2010.11929; Radford et al., Learning Transferable Visual
        Models From Natural Language Supervision, section 2.4 (the norm before the first
        block), https://arxiv.org/abs/2103.00020

    >>> encoder = ImageEncoder(
    ...     ImageEncoderConfig(EncoderConfig(width=16, layers=1, heads=2))
    ... )
    >>> encoder(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 16])
    """

    def __init__(self, config: ImageEncoderConfig, seed: int = 0):
        super().__init__()
        width = config.encoder.width
        self.config = config
        # A convolution whose stride is its kernel size is a linear layer on each patch.
        self.patch_embedding = nn.Conv2d(
            config.channels, width, config.patch_size, config.patch_size, bias=False
        )
        self.class_token = nn.Parameter(torch.zeros(width))
        self.positions = LearnedPositions(config.patches + 1, width)
        self.first_norm = nn.LayerNorm(width)
        self.encoder = Encoder(config.encoder, causal=False)
        self.final_norm = nn.LayerNorm(width)
        initialize(self, seed)
        with torch.no_grad():  # patches must be distinguishable from the first step on
            generator = torch.Generator().manual_seed(seed)
            self.positions.weight.normal_(0.0, 0.1, generator=generator)
            self.class_token.normal_(0.0, 0.1, generator=generator)

    def forward(
        self, images: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch features"]:
        """Return the vector of the class token after the last block; see `read`."""
        return self.final_norm(self.read(images)[:, 0])

    def read(
        self, images: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch position features"]:
        """Return all vectors after the last block: the class token's, then the
        patches', row by row.

        Raises:
            ValueError: If the images have another size or number of channels.
        """
        size = self.config.image_size
        expected = (self.config.channels, size, size)
        if images.shape[1:] != expected:
            raise ValueError(
                f"Images must have the shape {expected}, got {tuple(images.shape[1:])}."
            )
        patches = self.patch_embedding(images).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_token.expand(len(images), 1, -1), patches], dim=1)
        return self.encoder(self.first_norm(self.positions(x)))
