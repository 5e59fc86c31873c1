"""The text encoder: one vector for a caption as a whole, and one for each of its
tokens.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from genai_tutorial.transformer import LearnedPositions

from .encoder import Encoder, EncoderConfig, initialize


@dataclass(frozen=True)
class TextEncoderConfig:
    """The settings of a text encoder.

    Attributes:
        vocab_size: The number of different tokens.
        context_length: The largest number of tokens in a text, with its end.
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
        end = self._find_end(ids)
        vectors = self.positions(self.token_embedding(ids))
        return self._features(self.encoder(vectors), end)

    def encode_tokens_alone(self, ids: Int[Tensor, "batch token"]) -> TextFeatures:
        """Encode each token, at its position, as if it were the only one in its text:
        no token attends to another.
        """
        end = self._find_end(ids)
        vectors = self.positions(self.token_embedding(ids))
        alone = self.encoder(vectors.flatten(0, 1)[:, None])
        return self._features(alone.view_as(vectors), end)

    def _features(
        self, x: Float[Tensor, "batch token width"], end: Int[Tensor, "batch"]
    ) -> TextFeatures:
        tokens = self.final_norm(x)
        rows = torch.arange(len(tokens), device=tokens.device)
        positions = torch.arange(tokens.shape[1], device=tokens.device)
        return TextFeatures(tokens, tokens[rows, end], positions <= end[:, None])

    def _find_end(self, ids: Int[Tensor, "batch token"]) -> Int[Tensor, "batch"]:
        """Return the position of the first end token of each text."""
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
        return is_end.int().argmax(dim=1)
