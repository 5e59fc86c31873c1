"""The key/value cache: what attention computed for the tokens read so far, so that a
new token costs one step.

Without it, writing the n-th token reads the n - 1 before it once more. The memory is
taken once, at the start.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genai_tutorial.transformer.alibi import alibi_slopes, distance_bias
from genai_tutorial.transformer.config import DecoderConfig
from genai_tutorial.transformer.masks import may_see
from genai_tutorial.transformer.rotary import RotaryEmbedding


class KVCache:
    """Keys and values of every layer, for rows of different lengths.

    Token p of a row lies in place p. A model with a sliding window keeps the tokens in
    its sight only, in a ring: token p lies in place p modulo `sliding_window`, where it
    replaces the one that has just gone out of sight.

    Args:
        config: The decoder's settings.
        batch_size: The number of rows.
        length: The most tokens of a row, prompt and answer together; None for the
            model's context length.
        dtype: The type of the numbers, the same as the model's.
        device: Where they lie, the same as the model's.

    Raises:
        ValueError: If `length` is below 1 or above the model's context length, or
            `batch_size` below 1.

    Source: Shazeer, Fast Transformer Decoding, section 2.4.1,
        https://arxiv.org/abs/1911.02150; Jiang et al., Mistral 7B, section 2 (rolling
        buffer), https://arxiv.org/abs/2310.06825

    >>> cache = KVCache(
    ...     DecoderConfig.llama(layers=30, width=576, heads=9, key_value_heads=3),
    ...     length=1000,
    ... )
    >>> cache.keys.shape  # layer, row, key/value head, place, feature
    torch.Size([30, 1, 3, 1000, 64])
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
                f"A cache holds from 1 to context_length={config.context_length} "
                f"tokens a row; got length={length}."
            )
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}.")
        self.window, self.length = config.sliding_window, length
        self.places = length if self.window is None else min(self.window, length)
        self.slopes = (
            alibi_slopes(config.heads, device) if config.positions == "alibi" else None
        )
        shape = (
            config.layers,
            batch_size,
            config.shared_heads,
            self.places,
            config.head_width,
        )
        self.keys = torch.zeros(shape, dtype=dtype, device=device)
        self.values = torch.zeros(shape, dtype=dtype, device=device)
        self.ids = torch.zeros(batch_size, length, dtype=torch.long, device=device)
        self.lengths = [0] * batch_size
        self.unfinished = False
        self.layers = [LayerCache(self, layer) for layer in range(config.layers)]

    def begin(
        self,
        ids: Int[Tensor, "batch new"],
        lengths: list[int] | None,
        rotary: RotaryEmbedding | None,
    ) -> Int[Tensor, "rows new"]:
        """Prepare the reading of more tokens, once for all layers, and returns their
        positions.

        Args:
            ids: The tokens; shorter rows are filled up at the end.
            lengths: How many tokens of each row are text; None for all.
            rotary: Where the angles come from.

        Raises:
            ValueError: If there is not enough room, or another number of rows.
        """
        batch, new = ids.shape
        self._check(batch, new, lengths)
        self.unfinished = True
        self.added = [new] * batch if lengths is None else lengths
        same = min(self.lengths) == max(
            self.lengths
        )  # then all rows are treated at once, which is faster
        starts = torch.tensor(
            self.lengths[:1] if same else self.lengths, device=self.ids.device
        )
        positions = starts[:, None] + torch.arange(new, device=self.ids.device)
        self.turns = None if rotary is None else rotary.turns(positions)
        self.rows = torch.arange(batch, device=self.ids.device)[:, None]
        self.ids[self.rows, positions] = ids

        first, most = self.lengths[0], max(self.lengths) + new
        # Several tokens can push each other out of a ring, so the ring is read before
        # they are written.
        self.pushes_out = new > 1 and most > self.places
        self.seen = self.places if self.pushes_out else min(most, self.places)
        place = first % self.places
        self.where = slice(place, place + new) if same else positions % self.places
        self.mask = self.bias = None
        self.is_causal = (
            same
            and first == 0
            and new > 1
            and self.slopes is None
            and not self.pushes_out
        )
        if self.is_causal or (same and new == 1 and self.slopes is None):
            # one token sees all that is kept, the first ones need no table
            return positions
        written = [0] if self.pushes_out else [new] if same else self.added
        held = places_positions(starts + starts.new_tensor(written), self.places)[
            :, : self.seen
        ]
        if self.pushes_out:
            held = torch.cat((held, positions), dim=1)
        self.mask = may_see(positions, held, self.window)[:, None]
        if self.slopes is not None:
            self.bias = distance_bias(self.slopes, positions, held)
        return positions

    def finish(self) -> None:
        """Count the tokens as read. A pass that is interrupted before does not count;
        go on with `keep`.
        """
        self.lengths = [
            before + more for before, more in zip(self.lengths, self.added, strict=True)
        ]
        self.unfinished = False

    def keep(self, ids: Int[Tensor, "batch position"]) -> None:
        """Forgets what is not the beginning of this text; at least its last token is
        left to be read.

        A ring and the inputs of short convolutions cannot go back, so they forget
        everything.
        """
        most = min(max(self.lengths), ids.shape[1] - 1)
        equal = self.ids[:, :most] == ids[:, :most]
        common = min(int(equal.long().cumprod(dim=1).sum(dim=1).min()), *self.lengths)
        if common == max(self.lengths) and not self.unfinished:
            return
        if self.window is not None or self.layers[0].inputs:
            common = 0
            for layer in self.layers:
                layer.inputs.clear()
        self.lengths = [common] * len(self.lengths)

    def previous(self, count: int) -> Int[Tensor, "batch {count}"]:
        """Return the ids of the last tokens read; 0 stands before the first."""
        places = torch.tensor(self.lengths, device=self.ids.device)[
            :, None
        ] + torch.arange(-count, 0, device=self.ids.device)
        return torch.where(places >= 0, self.ids[self.rows, places], 0)

    def _check(self, batch: int, new: int, lengths: list[int] | None) -> None:
        if batch != len(self.lengths):
            raise ValueError(
                f"The cache was made for {len(self.lengths)} rows, got {batch}."
            )
        if lengths is not None and (
            len(lengths) != batch or not all(0 <= length <= new for length in lengths)
        ):
            raise ValueError(
                f"lengths must be {batch} numbers from 0 to {new}, got {lengths}."
            )
        if max(self.lengths) + new > self.length:
            raise ValueError(
                f"The cache is full: it holds {self.length} tokens a row, "
                f"{max(self.lengths)} are there and {new} "
                "more came. Make it longer, or start a new one with the end of the "
                "text."
            )


class LayerCache:
    """One layer's part of a cache.

    Args:
        cache: The whole cache, which knows what all layers have in common.
        layer: The number of the layer.
    """

    def __init__(self, cache: KVCache, layer: int):
        self.cache, self.keys, self.values = (
            cache,
            cache.keys[layer],
            cache.values[layer],
        )
        self.inputs: dict[nn.Module, Tensor] = {}

    def append(
        self,
        key: Float[Tensor, "batch head new dim"],
        value: Float[Tensor, "batch head new dim"],
    ) -> tuple[Tensor, Tensor]:
        """Store new keys and values, and returns all that the new tokens may see."""
        cache, where = self.cache, self.cache.where
        if cache.pushes_out:
            before = self.keys[:, :, : cache.seen], self.values[:, :, : cache.seen]
            seen = tuple(
                torch.cat(pair, dim=2)
                for pair in zip(before, (key, value), strict=True)
            )
            self._push(key, value)
            return seen
        if isinstance(where, slice):
            self.keys[:, :, where], self.values[:, :, where] = key, value
        else:
            self.keys[cache.rows, :, where] = key.transpose(1, 2)
            self.values[cache.rows, :, where] = value.transpose(1, 2)
        return self.keys[:, :, : cache.seen], self.values[:, :, : cache.seen]

    def preceded(
        self, layer: nn.Module, x: Float[Tensor, "batch new width"], count: int
    ) -> Float[Tensor, "batch count_and_new width"]:
        """Put the last `count` inputs that a layer had before in front of its new
        ones; zeros stand before the first.

        Args:
            layer: Whose inputs they are.
            x: The new ones.
            count: How many to put in front, and to remember for the next time.
        """
        text = torch.cat(
            (self.inputs.get(layer, x.new_zeros(x.shape[0], count, x.shape[2])), x),
            dim=1,
        )
        last = torch.tensor(self.cache.added, device=x.device)[:, None] + torch.arange(
            count, device=x.device
        )
        self.inputs[layer] = text[self.cache.rows, last]
        return text

    def _push(self, key: Tensor, value: Tensor) -> None:
        """Write the new keys and values that are in sight after this step over the
        ring's oldest.
        """
        cache = self.cache
        starts = torch.tensor(cache.lengths, device=key.device)
        after = places_positions(
            starts + torch.tensor(cache.added, device=key.device), cache.places
        )
        source = (
            after - starts[:, None]
        )  # which of the new tokens each place gets; below 0 keeps what it has
        for kept, new in ((self.keys, key), (self.values, value)):
            chosen = new.transpose(1, 2)[cache.rows, source.clamp(min=0)].transpose(
                1, 2
            )
            kept.copy_(torch.where(source[:, None, :, None] >= 0, chosen, kept))


def places_positions(
    lengths: Int[Tensor, "rows"], places: int
) -> Int[Tensor, "rows {places}"]:
    """Return which position of the text lies in each place of a ring, after so many
    tokens; below 0 for none.

    >>> places_positions(torch.tensor([2, 6]), places=4)
    tensor([[ 0,  1, -2, -1],
            [ 4,  5,  2,  3]])
    """
    last = lengths[:, None] - 1
    return last - (last - torch.arange(places, device=lengths.device)) % places
