"""Local layers, which read the nearest earlier tokens without attention: short
convolutions, and learned vectors for pairs and triples of tokens.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from .config import LocalConfig
from .context import AttentionContext

_MULTIPLIER = 2_654_435_761  # a prime near 2^32 / golden ratio
_MODULUS = 4_294_967_291  # the largest prime below 2^32


class ShortConvolution(nn.Module):
    """A causal depthwise convolution with a residual connection: adds the `size`
    vectors before each one, with one weight per feature and distance.

    Attention can read the previous token too, but has to learn how. The weights are
    initialized to zero, so that an untrained layer is the identity.

    Source: Allen-Zhu, Physics of Language Models: Part 4.1, Architecture Design and the
        Magic of Canon Layers, section 3 (the residual form),
        https://arxiv.org/abs/2512.17351
    """

    def __init__(self, width: int, size: int):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(size, width))

    def forward(
        self,
        x: Float[Tensor, "batch position width"],
        context: AttentionContext | None = None,
    ) -> Float[Tensor, "batch position width"]:
        """Add to each vector its weighted predecessors, those before the row from the
        context's cache; masked ones, and those before the first, count as zero.
        """
        context = AttentionContext() if context is None else context
        size, length = len(self.weight), x.shape[1]
        text = _with_previous(self, x, size, context)
        mixed = x
        for distance, weight in enumerate(self.weight, start=1):
            earlier = text[:, size - distance :][:, :length]
            mixed = mixed + _hide(earlier, distance, context) * weight
        return mixed


class ConvolutionBlock(nn.Module):
    """A `DecoderBlock`'s layers, with a short convolution after each norm."""

    def __init__(self, block: nn.Module, width: int, size: int):
        super().__init__()
        self.attention_norm = block.attention_norm
        self.attention_convolution = ShortConvolution(width, size)
        self.attention = block.attention
        self.feed_forward_norm = block.feed_forward_norm
        self.feed_forward_convolution = ShortConvolution(width, size)
        self.feed_forward = block.feed_forward

    def forward(self, x: Tensor, context: AttentionContext | None = None) -> Tensor:
        read = self.attention_convolution(self.attention_norm(x), context)
        x = x + self.attention(read, context)
        read = self.feed_forward_convolution(self.feed_forward_norm(x), context)
        return x + self.feed_forward(read)

    def attention_weights(self, x: Tensor) -> Tensor:
        return self.attention.weights(
            self.attention_convolution(self.attention_norm(x))
        )


class NGramEmbedding(nn.Module):
    """One vector for the last pair of tokens and one for the last triple, projected to
    the width of the residual stream.

    If there are more n-grams than rows, several share a row, chosen by a hash. Masked
    tokens, and those before the first one, count as token 0.

    Args:
        width: The number of output features.
        local: The lengths of a pair's and a triple's vector, 0 for none, and the
            maximum number of rows of a table.

    Source: Huang et al., Over-Tokenized Transformer, section 3.2,
    https://arxiv.org/abs/2501.16975
    """

    def __init__(self, vocab_size: int, width: int, local: LocalConfig):
        super().__init__()
        self.vocab_size = vocab_size
        features = {2: local.pair_features, 3: local.triple_features}
        self.tables = nn.ModuleDict(
            {
                str(order): nn.Embedding(min(vocab_size**order, local.ngram_rows), size)
                for order, size in features.items()
                if size
            }
        )
        self.project = nn.Linear(sum(features.values()), width, bias=False)

    def forward(
        self,
        ids: Int[Tensor, "batch position"],
        context: AttentionContext | None = None,
    ) -> Float[Tensor, "batch position width"]:
        """Return for each position the vector of the n-grams that end there; tokens
        before the row come from the context's cache.
        """
        context = AttentionContext() if context is None else context
        text = _with_previous(self, ids, 2, context)
        vectors = [
            table(self.row(text, int(order), context))
            for order, table in self.tables.items()
        ]
        return self.project(torch.cat(vectors, dim=-1))

    def row(
        self, text: Int[Tensor, "batch longer"], order: int, context: AttentionContext
    ) -> Int[Tensor, "batch position"]:
        """Return the row of the n-gram of 2 or 3 tokens that ends at each position, for
        a text with the two tokens before it.

        >>> local = LocalConfig(pair_features=2, triple_features=2, ngram_rows=100)
        >>> embedding = NGramEmbedding(vocab_size=10, width=4, local=local)
        >>> text = torch.tensor([[0, 0, 7, 4, 2]])
        >>> embedding.row(text, 2, AttentionContext())  # 07, 74, 42
        tensor([[ 7, 74, 42]])
        """
        number = text[:, 2:]
        for distance in range(1, order):
            earlier = _hide(text[:, 2 - distance : -distance], distance, context)
            number = number + earlier * self.vocab_size**distance
        rows = self.tables[str(order)].num_embeddings
        if rows == self.vocab_size**order:
            return number
        return number * _MULTIPLIER % _MODULUS % rows


def _with_previous(
    layer: nn.Module, x: Tensor, count: int, context: AttentionContext
) -> Tensor:
    """Prepend a layer's last `count` inputs, or zeros at the start of a text."""
    if context.cache is not None:
        return context.cache.with_previous(layer, x, count)
    return torch.cat((x.new_zeros(x.shape[0], count, *x.shape[2:]), x), dim=1)


def _hide(earlier: Tensor, distance: int, context: AttentionContext) -> Tensor:
    """Zero the inputs from `distance` positions before each token wherever the mask
    hides them from it.
    """
    if context.mask is None:
        return earlier
    mask = context.mask.expand(-1, -1, context.mask.shape[-1], -1)
    seen = mask[:, 0].diagonal(-distance, -2, -1)
    seen = functional.pad(seen, (distance, 0))[:, : mask.shape[-1]]
    return earlier * seen.view(*seen.shape, *[1] * (earlier.dim() - 2))
