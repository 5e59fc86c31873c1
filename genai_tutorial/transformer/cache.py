"""The key/value cache: what attention computed for the tokens read so far, so that a new token costs one step.

Without it, writing the n-th token reads the n - 1 before it once more. The memory is taken once, at the start.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from genai_tutorial.transformer.config import DecoderConfig
from genai_tutorial.transformer.masks import may_see
from genai_tutorial.transformer.rotary import RotaryEmbedding


class KVCache:
    """Keys and values of every layer, for rows of different lengths.

    A model with a sliding window keeps the last `sliding_window` tokens, in a ring: token p lies in place
    p modulo `sliding_window`, where it replaces the one that has just gone out of sight.

    Args:
        config: The decoder's settings.
        batch_size: The number of rows.
        length: The most tokens of a row, prompt and answer together; None for the model's context length.
        dtype: The type of the numbers, the same as the model's.
        device: Where they lie, the same as the model's.

    Raises:
        ValueError: If `length` is below 1 or above the model's context length, or `batch_size` below 1.

    Source: Shazeer, Fast Transformer Decoding, section 2.4.1, https://arxiv.org/abs/1911.02150;
        Jiang et al., Mistral 7B, section 2 (rolling buffer), https://arxiv.org/abs/2310.06825
    """

    def __init__(
        self,
        config: DecoderConfig,
        batch_size: int = 1,
        length: int | None = None,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str | None = None,
    ):
        length = config.context_length if length is None else length
        if not 1 <= length <= config.context_length:
            raise ValueError(
                f"A cache holds from 1 to context_length={config.context_length} tokens a row; got length={length}."
            )
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}.")
        self.window = config.sliding_window if config.sliding_window and config.sliding_window < length else None
        self.length, self.places = length, self.window or length
        shape = (config.layers, batch_size, config.shared_heads, self.places, config.head_width)
        self.keys = torch.zeros(shape, dtype=dtype, device=device)
        self.values = torch.zeros(shape, dtype=dtype, device=device)
        self.lengths = [0] * batch_size
        self.layers = [LayerCache(self, layer) for layer in range(config.layers)]

    def begin(
        self, batch_size: int, count: int, lengths: list[int] | None, rotary: RotaryEmbedding | None
    ) -> slice | Int[Tensor, "batch position"]:
        """Prepares a step of `count` more tokens in each row, and returns their positions.

        Args:
            batch_size: How many rows the step has.
            count: How many tokens each has, filling included.
            lengths: How many of them are text; None for all.
            rotary: Where the angles come from.

        Raises:
            ValueError: If there is not enough room, or another number of rows.
        """
        if batch_size != len(self.lengths):
            raise ValueError(f"The cache was made for {len(self.lengths)} rows, got {batch_size}.")
        if max(self.lengths) + count > self.length:
            raise ValueError(
                f"The cache is full: it holds {self.length} tokens a row, {max(self.lengths)} are there and {count} "
                "more came. Make it longer, or start a new one with the end of the text."
            )
        added = [count] * batch_size if lengths is None else lengths
        self.after = [before + more for before, more in zip(self.lengths, added, strict=True)]
        start, device = self.lengths[0], self.keys.device
        self.mask, self.is_causal = None, False
        if self.window and count > 1:
            raise NotImplementedError
        if min(self.lengths) == max(self.lengths):
            place = start % self.places
            self.write: slice | tuple = slice(place, place + count)
            self.read = min(start + count, self.places)
            self.is_causal = start == 0 and count > 1
            positions = slice(start, start + count)
            if start and count > 1:
                everything = torch.arange(start + count, device=device)
                self.mask = may_see(everything[start:], everything)
        else:
            before = torch.tensor(self.lengths, device=device)[:, None]
            positions = before + torch.arange(count, device=device)
            self.write = (torch.arange(batch_size, device=device)[:, None], positions % self.places)
            self.read = min(max(self.lengths) + count, self.places)
            held = positions_of_places(torch.tensor(self.after, device=device), self.places)[:, : self.read]
            self.mask = may_see(positions, held, self.window)[:, None]
        self.turns = None if rotary is None else rotary.turns(positions)
        return positions

    def finish(self) -> None:
        """Counts the step's tokens as read."""
        self.lengths = self.after


class LayerCache:
    """One layer's part of a cache."""

    def __init__(self, cache: KVCache, layer: int):
        self.cache, self.keys, self.values = cache, cache.keys[layer], cache.values[layer]

    @property
    def mask(self) -> Bool[Tensor, "*batch query key"] | None:
        """Which of the keys each query of this step may see; None for all, or as `is_causal` says."""
        return self.cache.mask

    @property
    def is_causal(self) -> bool:
        """Whether this step's tokens are the first, so that the plain causal mask holds."""
        return self.cache.is_causal

    @property
    def turns(self) -> tuple[Tensor, Tensor] | None:
        """The rotary angles of this step's positions."""
        return self.cache.turns

    def append(
        self, key: Float[Tensor, "batch head new dim"], value: Float[Tensor, "batch head new dim"]
    ) -> tuple[Tensor, Tensor]:
        """Stores this step's keys and values, and returns all that are in sight."""
        where, read = self.cache.write, self.cache.read
        if isinstance(where, slice):
            self.keys[:, :, where], self.values[:, :, where] = key, value
        else:
            rows, places = where
            self.keys[rows, :, places], self.values[rows, :, places] = key.transpose(1, 2), value.transpose(1, 2)
        return self.keys[:, :, :read], self.values[:, :, :read]


def positions_of_places(lengths: Int[Tensor, "batch"], places: int) -> Int[Tensor, "batch place"]:
    """Returns which position of the text lies in each place of a ring, after so many tokens; below 0 for none.

    >>> positions_of_places(torch.tensor([2, 6]), places=4)
    tensor([[ 0,  1, -2, -1],
            [ 4,  5,  2,  3]])
    """
    last = lengths[:, None] - 1
    return last - (last - torch.arange(places, device=lengths.device)) % places
