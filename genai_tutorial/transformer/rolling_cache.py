"""The rolling KV cache for models with a sliding window, which need only the tokens
inside the window.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .cache import KVCache
from .config import DecoderConfig


class RollingCache(KVCache):
    """A `KVCache` that keeps the last `sliding_window` tokens of each row in a ring
    buffer.

    Source: Jiang et al., Mistral 7B, section 2 (rolling buffer cache),
        https://arxiv.org/abs/2310.06825
    """

    forgets = True

    def append(
        self,
        layer: int,
        key: Float[Tensor, "batch head new dim"],
        value: Float[Tensor, "batch head new dim"],
    ) -> tuple[Tensor, Tensor]:
        """Store a layer's keys and values for the new tokens, and return all those that
        the new tokens may attend to.
        """
        rings = self.keys[layer], self.values[layer]
        if not self._overwrites:
            places = self.positions % self._ring_size
            for ring, new in zip(rings, (key, value), strict=True):
                ring[self.rows, :, places] = new.transpose(1, 2)
            return tuple(ring[:, :, : self.end] for ring in rings)
        # The first new tokens still attend to keys that the last ones overwrite, so the
        # ring is read before it is written.
        seen = tuple(
            torch.cat((ring[:, :, : self.end], new), dim=2)
            for ring, new in zip(rings, (key, value), strict=True)
        )
        self._overwrite(rings, (key, value))
        return seen

    def key_positions(self) -> Int[Tensor, "rows key"]:
        """Return the positions of the keys that `append` returns in this pass; negative
        for an empty slot.
        """
        starts = self.positions[:, 0]
        if self._overwrites:
            before = ring_positions(starts, self._ring_size)
            return torch.cat((before, self.positions), dim=1)
        new = self.positions.shape[1] if self.equal_rows else self._new_lengths()
        return ring_positions(starts + new, self._ring_size)[:, : self.end]

    @property
    def _ring_size(self) -> int:
        return self.keys.shape[3]

    @property
    def _overwrites(self) -> bool:
        """Whether new tokens overwrite keys that other new tokens attend to."""
        return self.positions.shape[1] > 1 and self.end > self._ring_size

    def _overwrite(self, rings: tuple[Tensor, ...], news: tuple[Tensor, ...]) -> None:
        after = ring_positions(
            self.positions[:, 0] + self._new_lengths(), self._ring_size
        )
        # The new token for each slot; negative if the slot keeps its old one.
        source = after - self.positions[:, :1]
        for ring, new in zip(rings, news, strict=True):
            chosen = new.transpose(1, 2)[self.rows, source.clamp(min=0)]
            written = torch.where(
                source[:, None, :, None] >= 0, chosen.transpose(1, 2), ring
            )
            ring.copy_(written)

    def _new_lengths(self) -> Int[Tensor, "batch"]:
        return torch.tensor(self.new_lengths, device=self.ids.device)

    def _rewind(self, length: int) -> None:
        self.lengths = [0] * len(self.lengths)
        self.last_inputs.clear()

    def _places(self, config: DecoderConfig, length: int) -> int:
        window = config.attention.sliding_window
        return length if window is None else min(window, length)


def ring_positions(
    lengths: Int[Tensor, "rows"], places: int
) -> Int[Tensor, "rows {places}"]:
    """Return the text position that each slot of a ring buffer holds after this many
    tokens; negative for an empty slot.
    """
    last = lengths[:, None] - 1
    return last - (last - torch.arange(places, device=lengths.device)) % places
