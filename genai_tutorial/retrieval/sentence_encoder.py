"""The sentence encoder: a BERT that reads a whole text at once and gives it one vector,
near the vectors of texts with the same meaning.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from genai_tutorial.runtime import progress_bar
from genai_tutorial.tokenization import WordPieceTokenizer
from genai_tutorial.transformer import (
    AttentionContext,
    FeedForward,
    LearnedPositions,
    MultiHeadAttention,
)


@dataclass(frozen=True)
class SentenceEncoderConfig:
    """The settings of a sentence encoder; the defaults are MiniLM's.

    Attributes:
        vocab_size: The number of different tokens.
        width: The number of features of a vector.
        heads: The number of attention heads in a block; must divide `width`.
        feed_forward_width: The number of features inside a feed-forward layer.
        context_length: The largest number of tokens in a text.
        norm_epsilon: The constant that LayerNorm adds to the variance.
    """

    vocab_size: int = 30_522
    width: int = 384
    layers: int = 6
    heads: int = 12
    feed_forward_width: int = 1536
    context_length: int = 512
    norm_epsilon: float = 1e-12


class PostNormBlock(nn.Module):
    """A Transformer block as in the first paper: layer normalization comes after each
    residual connection, on the sum.

    Source: Vaswani et al., Attention Is All You Need, section 3.1,
        https://arxiv.org/abs/1706.03762; Xiong et al., On Layer Normalization in the
        Transformer Architecture, https://arxiv.org/abs/2002.04745
    """

    def __init__(self, config: SentenceEncoderConfig):
        super().__init__()
        self.attention = MultiHeadAttention(
            config.width, config.heads, bias=True, causal=False
        )
        self.attention_norm = nn.LayerNorm(config.width, config.norm_epsilon)
        self.feed_forward = FeedForward(
            config.width, config.feed_forward_width, "gelu", bias=True
        )
        self.feed_forward_norm = nn.LayerNorm(config.width, config.norm_epsilon)

    def forward(
        self, x: Float[Tensor, "batch position width"], context: AttentionContext
    ) -> Float[Tensor, "batch position width"]:
        """Apply attention and feed-forward, each followed by the sum and its norm."""
        x = self.attention_norm(x + self.attention(x, context))
        return self.feed_forward_norm(x + self.feed_forward(x))


class SentenceEncoder(nn.Module):
    """A BERT without its output layers: embeddings of tokens and positions, then blocks
    in which each token attends to the whole text.

    BERT also adds a vector for the first or second of two texts. Here there is only
    one text, so that vector is the same everywhere (`segment`).

    Source: Devlin et al., BERT, section 3, https://arxiv.org/abs/1810.04805

    >>> config = SentenceEncoderConfig(
    ...     vocab_size=9, width=8, layers=1, heads=2, feed_forward_width=16
    ... )
    >>> states = SentenceEncoder(config)(torch.tensor([[2, 4, 3]]), torch.tensor([3]))
    >>> states.shape
    torch.Size([1, 3, 8])
    """

    def __init__(self, config: SentenceEncoderConfig):
        super().__init__()
        self.config = config
        self.token_embedding = nn.Embedding(config.vocab_size, config.width)
        self.positions = LearnedPositions(config.context_length, config.width)
        self.segment = nn.Parameter(torch.zeros(config.width))
        self.norm = nn.LayerNorm(config.width, config.norm_epsilon)
        self.blocks = nn.ModuleList(PostNormBlock(config) for _ in range(config.layers))

    def forward(
        self, ids: Int[Tensor, "batch position"], lengths: Int[Tensor, "batch"]
    ) -> Float[Tensor, "batch position width"]:
        """Return the vector of each token in its text.

        Args:
            ids: The tokens of each text, padded on the right.
            lengths: The number of tokens of each text, without the padding.

        Raises:
            ValueError: If a text is longer than the context.
        """
        if ids.shape[1] > self.config.context_length:
            raise ValueError(
                f"A text has at most {self.config.context_length} tokens, got "
                f"{ids.shape[1]}: split it, or cut it off."
            )
        context = AttentionContext.padded(lengths, ids.shape[1])
        x = self.norm(self.positions(self.token_embedding(ids)) + self.segment)
        for block in self.blocks:
            x = block(x, context)
        return x


@dataclass(frozen=True)
class SentenceVectors:
    """A sentence encoder with its tokenizer: from texts to vectors.

    Attributes:
        max_length: The number of tokens after which a text is cut off.
    """

    encoder: SentenceEncoder
    tokenizer: WordPieceTokenizer
    max_length: int = 256

    @property
    def width(self) -> int:
        """The number of features of a vector."""
        return self.encoder.config.width

    @torch.no_grad()
    def token_states(self, texts: Sequence[str]) -> list[Float[Tensor, "token width"]]:
        """Return the vector of each token of each text, `[CLS]` and `[SEP]` included,
        all read in one batch.

        Raises:
            ValueError: If there are no texts.
        """
        rows = [self.tokenizer.encode(text, self.max_length) for text in texts]
        if not rows:
            raise ValueError("There must be at least one text, got none.")
        lengths = torch.tensor([len(row) for row in rows])
        ids = pad_sequence(
            [torch.tensor(row) for row in rows],
            batch_first=True,
            padding_value=self.tokenizer.padding,
        )
        device = next(self.encoder.parameters()).device
        states = self.encoder(ids.to(device), lengths.to(device))
        return [
            row[:length] for row, length in zip(states, lengths.tolist(), strict=True)
        ]

    def encode(
        self, texts: Sequence[str], batch_size: int = 32, show_progress: bool = False
    ) -> Float[Tensor, "text width"]:
        """Return one vector of length one for each text: the mean of its tokens'
        vectors, divided by its length.

        The dot product of two such vectors is the cosine of the angle between them.

        Args:
            texts: The texts. Tokens beyond `max_length` are ignored.
            batch_size: The number of texts read at once, grouped by length.

        Source: Reimers and Gurevych, Sentence-BERT, section 3,
            https://arxiv.org/abs/1908.10084
        """
        vectors = torch.empty(len(texts), self.width)
        by_length = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        starts = range(0, len(texts), batch_size)
        for start in progress_bar(starts, label="encoding", show=show_progress):
            places = by_length[start : start + batch_size]
            states = self.token_states([texts[place] for place in places])
            for place, tokens in zip(places, states, strict=True):
                vectors[place] = tokens.mean(dim=0)
        return functional.normalize(vectors, dim=1)
