"""A model of two attention layers and nothing else, small enough to write its output as
a sum over paths, and the task that makes it build an induction circuit.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from genai_tutorial.transformer import attention_weights, causal_mask

SYMBOLS, LENGTH, WIDTH, HEADS = 32, 24, 64, 4

_Stream = Float[Tensor, "batch position width"]
_Pattern = Float[Tensor, "batch head query key"]


class _AttentionLayer(nn.Module):
    """Four heads without biases. What each reads can be set apart: the pattern has its
    queries and keys, and the output its values.
    """

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value, self.output = (
            nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(4)
        )
        for layer in self.children():
            nn.init.normal_(layer.weight, std=WIDTH**-0.5)

    def pattern(self, queries: _Stream, keys: _Stream) -> _Pattern:
        """Return the attention weights."""
        mask = causal_mask(queries.shape[1], queries.device)
        parts = self._heads(self.query(queries)), self._heads(self.key(keys))
        return attention_weights(*parts, mask)

    def write(
        self, pattern: _Pattern, values: _Stream
    ) -> Float[Tensor, "batch head position width"]:
        """Return what each head adds to the stream; linear in the values."""
        mixed = pattern @ self._heads(self.value(values))
        output = self.output.weight.unflatten(1, (HEADS, -1))
        return torch.einsum("bhpd,whd->bhpw", mixed, output)

    @staticmethod
    def _heads(x: _Stream) -> Float[Tensor, "batch head position dim"]:
        return x.unflatten(-1, (HEADS, -1)).transpose(1, 2)


class AttentionOnly(nn.Module):
    """Two attention layers between an embedding and an output layer: no norm, no
    feed-forward layer.

    Source: Elhage et al. (2021), A Mathematical Framework for Transformer Circuits,
    https://transformer-circuits.pub/2021/framework/index.html

    >>> AttentionOnly(seed=0)(torch.zeros(1, 24, dtype=torch.long)).shape
    torch.Size([1, 24, 32])
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.tokens = nn.Embedding(SYMBOLS, WIDTH)
        self.places = nn.Embedding(LENGTH, WIDTH)
        self.first, self.second = _AttentionLayer(), _AttentionLayer()
        self.unembed = nn.Linear(WIDTH, SYMBOLS, bias=False)
        nn.init.normal_(self.tokens.weight, std=0.5)
        nn.init.normal_(self.places.weight, std=0.5)

    def forward(
        self, ids: Int[Tensor, "batch position"]
    ) -> Float[Tensor, "batch position symbol"]:
        """Return the logits of the next symbol."""
        embedded, written = self.streams(ids)
        return self.finish(embedded + written.sum(dim=1))

    def streams(
        self, ids: Int[Tensor, "batch position"]
    ) -> tuple[_Stream, Float[Tensor, "batch head position width"]]:
        """Return the embeddings, and what each head of the first layer adds."""
        embedded = self.tokens(ids) + self.places.weight
        pattern = self.first.pattern(embedded, embedded)
        return embedded, self.first.write(pattern, embedded)

    def finish(
        self,
        stream: _Stream,
        query: _Stream | None = None,
        key: _Stream | None = None,
        value: _Stream | None = None,
    ) -> Float[Tensor, "batch position symbol"]:
        """Return the logits for a stream after the first layer.

        Args:
            query: What the second layer's queries read, if it isn't the stream; `key`
                and `value` likewise.
        """
        query, key, value = (stream if x is None else x for x in (query, key, value))
        written = self.second.write(self.second.pattern(query, key), value)
        return self.unembed(stream + written.sum(dim=1))


def repeated_symbols(
    count: int, period: int, generator: torch.Generator
) -> Int[Tensor, "count position"]:
    """Draw rows of 24 symbols in which a random sequence without repetition returns
    after `period` symbols, over and over.
    """
    orders = torch.rand(count, SYMBOLS, generator=generator).argsort(dim=1)
    return orders[:, :period].repeat(1, LENGTH // period + 1)[:, :LENGTH]


def train_attention_only(seed: int, steps: int = 400) -> AttentionOnly:
    """Train a model to predict the repetitions, with periods from 6 to 12."""
    model, generator = AttentionOnly(seed), torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=3e-3, betas=(0.9, 0.98), weight_decay=0.05
    )
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * min(1, step / 50, 2 * (1 - step / steps))
        period = int(torch.randint(6, LENGTH // 2 + 1, (), generator=generator))
        ids = repeated_symbols(64, period, generator)
        logits = model(ids)[:, period:-1]
        loss = functional.cross_entropy(
            logits.flatten(0, 1), ids[:, period + 1 :].flatten()
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.requires_grad_(False)
