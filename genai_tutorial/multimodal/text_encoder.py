"""The text encoder: a vector for a caption as a whole, and one for each of its
words.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from genai_tutorial.multimodal.encoder import Encoder, EncoderConfig, initialize
from genai_tutorial.transformer import LearnedPositions


@dataclass(frozen=True)
class TextEncoderConfig:
    """What a text encoder is made of.

    Attributes:
        encoder: The blocks.
        vocab_size: The number of different tokens.
        context_length: The most tokens in a text, with its end.
        end: The token that ends each text.

    Raises:
        ValueError: If a number is out of range.
    """

    encoder: EncoderConfig
    vocab_size: int
    context_length: int
    end: int

    def __post_init__(self):
        if self.vocab_size < 1 or self.context_length < 1:
            raise ValueError(
                "vocab_size and context_length must be at least 1, got "
                f"{self.vocab_size}, {self.context_length}."
            )
        if not 0 <= self.end < self.vocab_size:
            raise ValueError(
                f"end must be a token from 0 to {self.vocab_size - 1}, got {self.end}."
            )


@dataclass(frozen=True)
class TextFeatures:
    """What a text encoder found.

    Attributes:
        tokens: The vector of each token: what a picture looks at word by word, through
            cross-attention.
        pooled: The vector of the end of each text, which has seen all of it.
        mask: True up to the end, False at the padding, whose vectors mean nothing.
    """

    tokens: Float[Tensor, "batch token features"]
    pooled: Float[Tensor, "batch features"]
    mask: Bool[Tensor, "batch token"]


class TextEncoder(nn.Module):
    """Turns texts into vectors, each token seeing itself and those before it.

    So a noun's vector knows the adjectives before it, only the end knows the whole
    text, and the padding behind it changes nothing.

    Args:
        config: The settings.
        seed: Decides the first weights.

    Source: Radford et al., Learning Transferable Visual Models From Natural Language
        Supervision, section 2.4, https://arxiv.org/abs/2103.00020

    >>> config = TextEncoderConfig(
    ...     EncoderConfig(width=8, layers=1, heads=2),
    ...     vocab_size=5,
    ...     context_length=4,
    ...     end=1,
    ... )
    >>> features = TextEncoder(config)(torch.tensor([[3, 4, 1, 0]]))
    >>> features.tokens.shape, features.pooled.shape, features.mask.tolist()
    (torch.Size([1, 4, 8]), torch.Size([1, 8]), [[True, True, True, False]])
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
        """Read texts.

        Args:
            ids: The tokens of each text with its end, and any padding after it.

        Raises:
            ValueError: If a text has no end, is longer than the context, or has tokens
                that there are not.
        """
        config = self.config
        if ids.shape[1] > config.context_length:
            raise ValueError(
                f"A text has at most {config.context_length} tokens, got "
                f"{ids.shape[1]}."
            )
        if (
            ids.numel()
            and not 0 <= int(ids.min()) <= int(ids.max()) < config.vocab_size
        ):
            raise ValueError(
                f"Tokens must be from 0 to {config.vocab_size - 1}, got "
                f"{int(ids.min())} to {int(ids.max())}."
            )
        is_end = ids == config.end
        if not bool(is_end.any(dim=1).all()):
            raise ValueError(
                f"Each text must have its end, token {config.end}, as "
                "`WordTokenizer.encode` gives it."
            )
        end = is_end.int().argmax(dim=1)  # the first one, if there are more
        tokens = self.final_norm(
            self.encoder(self.positions(self.token_embedding(ids)))
        )
        positions = torch.arange(ids.shape[1], device=ids.device)
        return TextFeatures(
            tokens, tokens[torch.arange(len(ids)), end], positions <= end[:, None]
        )
