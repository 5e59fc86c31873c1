"""A KV cache that writes nothing in place, for exporters that trace a model.

An exported graph is a function: it cannot write into memory outside it. So a step takes
the cache as input tensors and returns a longer one. The model's own blocks run
unchanged: `FunctionalCache` has the interface of `KVCache`, but concatenates instead of
writing in place.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genai_tutorial.transformer import (
    AttentionContext,
    AttentionPattern,
    CachedContext,
    KVCache,
    Visibility,
)

State = tuple[Tensor, ...]
"""Keys and values of all layers, then the last inputs of each layer that looks back
without attention.
"""


class FunctionalCache(KVCache):
    """A `KVCache` that writes nothing in place: a pass reads one state and makes
    another.
    """

    def __init__(
        self,
        keys: Float[Tensor, "layer batch head past dim"],
        values: Float[Tensor, "layer batch head past dim"],
        earlier: Sequence[Tensor] = (),
    ):
        self.keys, self.values, self.earlier = keys, values, list(earlier)
        self.new_keys: list[Tensor] = []
        self.new_values: list[Tensor] = []
        self.new_earlier: list[Tensor] = []

    def begin(
        self, ids: Int[Tensor, "batch new"], new_lengths: list[int] | None = None
    ) -> Int[Tensor, "1 new"]:
        """Begin a forward pass and return the positions of the new tokens."""
        past, new = self.keys.shape[3], ids.shape[1]
        self.positions = torch.arange(past, past + new, device=ids.device)[None]
        return self.positions

    def append(
        self,
        layer: int,
        key: Float[Tensor, "batch head new dim"],
        value: Float[Tensor, "batch head new dim"],
    ) -> tuple[Tensor, Tensor]:
        """Return a layer's keys and values, those of the new tokens at the end."""
        self.new_keys.append(torch.cat((self.keys[layer], key), dim=2))
        self.new_values.append(torch.cat((self.values[layer], value), dim=2))
        return self.new_keys[-1], self.new_values[-1]

    def with_previous(self, layer: nn.Module, x: Tensor, count: int) -> Tensor:
        """Prepend the next layer's last `count` inputs to its new ones."""
        text = torch.cat((self.earlier[len(self.new_earlier)], x), dim=1)
        self.new_earlier.append(text[:, -count:])
        return text

    def key_positions(self) -> Int[Tensor, "1 key"]:
        """Return the positions of the keys that `append` returns."""
        return torch.arange(self.new_keys[-1].shape[2], device=self.keys.device)[None]

    def finish(self) -> None:
        """Finish a forward pass."""

    def state(self) -> State:
        """Return the state after the pass."""
        return (
            torch.stack(self.new_keys),
            torch.stack(self.new_values),
            *self.new_earlier,
        )


class TracedContext(AttentionContext):
    """A context that computes masks separately in each layer."""

    def visibility(
        self, x: Float[Tensor, "batch query width"], pattern: AttentionPattern
    ) -> Visibility:
        """Return the mask and bias for each query."""
        return self.see(x, pattern)


class TracedCacheContext(CachedContext):
    """The same for tokens that continue the text in a cache."""

    visibility = TracedContext.visibility
