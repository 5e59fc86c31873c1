"""Gated cross-attention: layers between the blocks of a language model that attend to
an image, with gates that are closed at first.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genai_tutorial.transformer import (
    AttentionContext,
    DecoderLM,
    FeedForward,
    MultiHeadAttention,
)

from .encoder import initialize
from .vision_language import VisionLanguageConfig
from .vision_transformer import ImageEncoder


class GatedCrossAttention(nn.Module):
    """Cross-attention to an image and a feed-forward layer, each multiplied by the tanh
    of a learned gate that starts at 0, so that at first nothing is added.

    Source: Alayrac et al., Flamingo: a Visual Language Model for Few-Shot Learning,
        figure 4, https://arxiv.org/abs/2204.14198
    """

    def __init__(self, width: int, heads: int, source_width: int, seed: int = 0):
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = MultiHeadAttention(width, heads, source_width=source_width)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.feed_forward = FeedForward(width, 4 * width, "gelu", bias=True)
        initialize(self, seed)
        self.attention_gate = nn.Parameter(torch.zeros(1))
        self.feed_forward_gate = nn.Parameter(torch.zeros(1))

    def forward(
        self,
        x: Float[Tensor, "batch position width"],
        image: Float[Tensor, "batch square source_width"],
    ) -> Float[Tensor, "batch position width"]:
        """Let every position attend to all squares of the image."""
        seen = self.attention(self.attention_norm(x), source=image)
        x = x + self.attention_gate.tanh() * seen
        fed = self.feed_forward(self.feed_forward_norm(x))
        return x + self.feed_forward_gate.tanh() * fed


class CrossAttentionModel(nn.Module):
    """A decoder with a `GatedCrossAttention` before each block. The image takes up no
    positions of the text, and before training the outputs are the language model's.

    Args:
        config: The settings, as for `VisionLanguageModel`.
        seed: Seed of the initial weights.

    Source: Alayrac et al., Flamingo: a Visual Language Model for Few-Shot Learning,
        section 2.2, https://arxiv.org/abs/2204.14198
    """

    def __init__(self, config: VisionLanguageConfig, seed: int = 0):
        super().__init__()
        self.config = config
        self.image_encoder = ImageEncoder(config.image, seed)
        source_width, decoder = config.image.encoder.width, config.decoder
        self.image_norm = nn.LayerNorm(source_width)
        self.gated_layers = nn.ModuleList(
            GatedCrossAttention(
                decoder.width, decoder.attention.heads, source_width, seed + layer
            )
            for layer in range(decoder.layers)
        )
        self.decoder = DecoderLM(decoder, seed + 2)

    def look(
        self, images: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch square features"]:
        """Return the image encoder's vector of each square, without the class token's.

        Raises:
            ValueError: If the images have another size or number of channels.
        """
        return self.image_encoder.read(images)[:, 1:]

    def read(
        self,
        squares: Float[Tensor, "batch square features"],
        ids: Int[Tensor, "batch token"],
        documents: Int[Tensor, "batch token"] | None = None,
    ) -> Float[Tensor, "batch token vocab"]:
        """Return the logits of the next token after each token of the text.

        Args:
            squares: The output of `look`.
            documents: The number of the question that each token belongs to; None for a
                single text.

        Raises:
            ValueError: If the text does not fit into the context window, or a token is
                not in the vocabulary.
        """
        context = AttentionContext()
        if documents is not None:
            context = AttentionContext.packed(documents)
        image = self.image_norm(squares)
        x = self.decoder.embed(ids, context)
        for gated, block in zip(self.gated_layers, self.decoder.blocks, strict=True):
            x = block(gated(x, image), context)
        return self.decoder.logits(x)

    def forward(
        self,
        images: Float[Tensor, "batch channel height width"],
        ids: Int[Tensor, "batch token"],
        documents: Int[Tensor, "batch token"] | None = None,
    ) -> Float[Tensor, "batch token vocab"]:
        """Look at the images and read the texts; see `read`."""
        return self.read(self.look(images), ids, documents)
