"""N-gram embeddings: a table that knows each pair or triple of tokens by sight.

An n-gram model is a table of what follows the last few tokens. Here the table holds
vectors instead of counts, so the network starts from what such a model knows. Looking
up costs no multiplication, however large the table is.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from genai_tutorial.transformer.masks import sees_back

MULTIPLIER, MODULUS = (
    2_654_435_761,
    4_294_967_291,
)  # a prime near 2^32/golden ratio; the largest prime below 2^32


class NGramEmbedding(nn.Module):
    """One vector for the last pair of tokens and one for the last triple, brought to
    the width of the stream.

    Where there are more n-grams than rows, several share a row: which ones is as good
    as random. Before the first token there are tokens of number 0.

    Args:
        vocab_size: The number of different tokens.
        width: The number of features that come out.
        pair_features: The length of a pair's vector; 0 for none.
        triple_features: The length of a triple's vector; 0 for none.
        rows: The most rows that a table has.

    Source: Huang et al., Over-Tokenized Transformer, section 3.2,
    https://arxiv.org/abs/2501.16975
    """

    def __init__(
        self,
        vocab_size: int,
        width: int,
        pair_features: int,
        triple_features: int,
        rows: int,
    ):
        super().__init__()
        self.vocab_size = vocab_size
        features = {2: pair_features, 3: triple_features}
        self.tables = nn.ModuleDict(
            {
                str(order): nn.Embedding(min(vocab_size**order, rows), size)
                for order, size in features.items()
                if size
            }
        )
        self.project = nn.Linear(pair_features + triple_features, width, bias=False)

    def forward(
        self,
        ids: Int[Tensor, "batch position"],
        before: Int[Tensor, "batch 2"] | None = None,
        mask: Bool[Tensor, "batch 1 position position"] | None = None,
    ) -> Float[Tensor, "batch position width"]:
        """Return for each position the vector of what ends there.

        Args:
            ids: The tokens.
            before: The two in front of them; None where the text begins.
            mask: True where a position may see another; a token that it may not see
                counts as number 0.
        """
        text = ids if before is None else torch.cat((before, ids), dim=1)
        rows = [
            self.row(text, int(order), mask)[:, -ids.shape[1] :]
            for order in self.tables
        ]
        found = [
            table(row) for table, row in zip(self.tables.values(), rows, strict=True)
        ]
        return self.project(torch.cat(found, dim=-1))

    def row(
        self,
        ids: Int[Tensor, "batch position"],
        order: int,
        mask: Bool[Tensor, "batch 1 position position"] | None = None,
    ) -> Int[Tensor, "batch position"]:
        """Return the row of the n-gram of this order that ends at each position.

        >>> embedding = NGramEmbedding(
        ...     vocab_size=10, width=4, pair_features=2, triple_features=2, rows=100
        ... )
        >>> embedding.row(torch.tensor([[7, 4, 2]]), order=2)  # 07, 74, 42
        tensor([[ 7, 74, 42]])
        """
        number = ids
        for distance in range(1, order):
            earlier = functional.pad(ids, (distance, 0))[:, : ids.shape[1]]
            if mask is not None:
                earlier = earlier * sees_back(mask, distance)
            number = number + earlier * self.vocab_size**distance
        rows = self.tables[str(order)].num_embeddings
        if rows == self.vocab_size**order:
            return number
        return number * MULTIPLIER % MODULUS % rows
