"""The KV cache: the keys and values of the tokens read so far, so that generating a new
token takes a forward pass over that token only.

Without it, each new token takes a forward pass over the whole text.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from .config import DecoderConfig


class KVCache:
    """Keys and values of every layer; new ones are appended at the end of each row.

    The key of token p of a row is stored at index p, so the causal mask hides anything
    beyond the row's end. All memory is allocated once, at the start.

    Args:
        config: The decoder's settings.
        length: The maximum number of tokens per row, prompt and answer together; None
            for the model's context length.
        dtype: The same as the model's.
        device: The same as the model's.

    Raises:
        ValueError: If `length` is below 1 or above the model's context length, or
            `batch_size` below 1.

    Source: Shazeer, Fast Transformer Decoding, section 2.4.1,
    https://arxiv.org/abs/1911.02150

    >>> cache = KVCache(
    ...     DecoderConfig.llama(layers=30, width=576, heads=9, key_value_heads=3),
    ...     length=1000,
    ... )
    >>> cache.keys.shape  # layer, row, key/value head, position, feature
    torch.Size([30, 1, 3, 1000, 64])
    """

    window: int | None = None  # how many last keys a query sees; None: see the model
    sinks: int = 0  # how many first keys stay visible outside the window
    rotates_on_reading: bool = False  # whether keys are stored before their rotation
    forgets: bool = False  # whether new keys overwrite the oldest
    # Whether each new token and each key belong to one text; None: a row is one text.
    same_text: Bool[Tensor, "row new key"] | None = None

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
                f"tokens per row; got length={length}."
            )
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}.")
        heads, places = config.attention.key_value_heads, self._places(config, length)
        shape = (config.layers, batch_size, heads, places, config.head_width)
        self.keys = torch.zeros(shape, dtype=dtype, device=device)
        self.values = torch.zeros(shape, dtype=dtype, device=device)
        self.ids = torch.zeros(batch_size, length, dtype=torch.long, device=device)
        self.length = length
        self.lengths = [0] * batch_size  # how many tokens each row has read
        self.interrupted = False  # whether the last pass began but did not finish
        # The last inputs of layers that look back without attention, see
        # `AttentionContext.with_previous`.
        self.last_inputs: dict[nn.Module, Tensor] = {}

    def begin(
        self, ids: Int[Tensor, "batch new"], new_lengths: list[int] | None = None
    ) -> Int[Tensor, "rows new"]:
        """Begin a forward pass over new tokens and return their positions, as a single
        row if all rows have the same length.

        Args:
            ids: The new tokens; shorter rows are right-padded.
            new_lengths: The number of new tokens in each row without the padding; None
                if there is no padding.

        Raises:
            ValueError: If the cache is too short or has another number of rows.
        """
        batch, new = ids.shape
        self._check(batch, new, new_lengths)
        self.interrupted = True
        self.new_lengths = [new] * batch if new_lengths is None else new_lengths
        self.start, self.end = min(self.lengths), max(self.lengths) + new
        self.equal_rows = self.end - self.start == new  # all rows have one length
        starts = torch.tensor(
            self.lengths[:1] if self.equal_rows else self.lengths, device=ids.device
        )
        self.rows = torch.arange(batch, device=ids.device)[:, None]
        self.positions = starts[:, None] + torch.arange(new, device=ids.device)
        self._store_ids(ids)
        return self.positions

    def append(
        self,
        layer: int,
        key: Float[Tensor, "batch head new dim"],
        value: Float[Tensor, "batch head new dim"],
    ) -> tuple[Tensor, Tensor]:
        """Store a layer's keys and values for the new tokens, and return those of the
        whole text.
        """
        keys, values = self.keys[layer], self.values[layer]
        if self.equal_rows:  # one copy instead of one per row
            keys[:, :, self.start : self.end] = key
            values[:, :, self.start : self.end] = value
        else:
            keys[self.rows, :, self.positions] = key.transpose(1, 2)
            values[self.rows, :, self.positions] = value.transpose(1, 2)
        return keys[:, :, : self.end], values[:, :, : self.end]

    def key_positions(self) -> Int[Tensor, "rows key"]:
        """Return the positions of the keys that `append` returns in this pass."""
        places = torch.arange(self.end, device=self.ids.device)
        return places.expand(len(self.positions), -1)

    def finish(self) -> None:
        """Finish a forward pass: mark its tokens as read."""
        pairs = zip(self.lengths, self.new_lengths, strict=True)
        self.lengths = [length + new for length, new in pairs]
        self.interrupted = False

    def keep(self, ids: Int[Tensor, "batch position"]) -> None:
        """Truncate the cache to the longest prefix that it shares with `ids`, leaving
        at least the last token of `ids` to be read.
        """
        most = min(max(self.lengths), ids.shape[1] - 1)
        equal = self.ids[:, :most] == ids[:, :most]
        common = min(int(equal.long().cumprod(dim=1).sum(dim=1).min()), *self.lengths)
        if common < max(self.lengths) or self.interrupted:
            self._rewind(common)

    def rewind(self, length: int) -> None:
        """Forget all tokens after the first `length` of each row, such as drafted
        tokens that the model rejected.

        Their keys stay in memory until the next tokens overwrite them.

        Raises:
            ValueError: If a row has read fewer tokens, or what came before its end is
                no longer known: the cache has overwritten keys, or the model has short
                convolutions or n-gram tables.
        """
        if self.forgets or self.last_inputs:
            kind = (
                f"A {type(self).__name__} has overwritten earlier keys"
                if self.forgets
                else "The last inputs of short convolutions and n-gram tables are gone"
            )
            raise ValueError(
                f"{kind}, so it cannot go back. Use `keep`, which reads the text "
                "again, or a model with full attention and no such layers."
            )
        if not 0 <= length <= min(self.lengths):
            raise ValueError(
                "length must be from 0 to the number of tokens that each row has read, "
                f"{min(self.lengths)}; got {length}."
            )
        self._rewind(length)

    def select(self, rows: Sequence[int]) -> None:
        """Replace the rows by copies of these ones, in this order.

        Beam search keeps its best texts with it, some of them several times; and
        `[0] * n` turns a prompt that was read once into n rows that continue it.

        Args:
            rows: The numbers of the rows to keep; their count is the new number of
                rows.

        Raises:
            ValueError: If there is no row, or one does not exist.
        """
        if not rows or not all(0 <= row < len(self.lengths) for row in rows):
            raise ValueError(
                f"rows must be numbers from 0 to {len(self.lengths) - 1}, at least "
                f"one; got {list(rows)}."
            )
        chosen = torch.tensor(rows, device=self.ids.device)
        self.keys, self.values = self.keys[:, chosen], self.values[:, chosen]
        self.ids = self.ids[chosen]
        self.lengths = [self.lengths[row] for row in rows]
        self.last_inputs = {
            layer: inputs[chosen] for layer, inputs in self.last_inputs.items()
        }

    def _store_ids(self, ids: Int[Tensor, "batch new"]) -> None:
        self.ids[self.rows, self.positions] = ids

    def _rewind(self, length: int) -> None:
        # The inputs before the end of the shorter text are no longer known.
        self.lengths = [0 if self.last_inputs else length] * len(self.lengths)
        self.last_inputs.clear()

    def _places(self, config: DecoderConfig, length: int) -> int:
        return length

    def _check(self, batch: int, new: int, new_lengths: list[int] | None) -> None:
        if batch != len(self.lengths):
            raise ValueError(
                f"The cache was made for {len(self.lengths)} rows, got {batch}."
            )
        if new_lengths is not None and (
            len(new_lengths) != batch
            or not all(0 <= length <= new for length in new_lengths)
        ):
            raise ValueError(
                f"lengths must be {batch} numbers from 0 to {new}, got {new_lengths}."
            )
        if max(self.lengths) + new > self.length:
            raise ValueError(
                f"The cache is full: it has room for {self.length} tokens per row, "
                f"holds {max(self.lengths)}, and got {new} more. Make it longer, or "
                "start a new one with the end of the text."
            )
