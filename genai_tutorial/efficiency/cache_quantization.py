"""A KV cache in 8, 4 or 2 bits per number, and reading a text with it.

With long texts and many users, the cache takes more memory than the weights, and each
new token reads all of it.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genai_tutorial.transformer import (
    AttentionContext,
    DecoderConfig,
    DecoderLM,
    KVCache,
)

from .linear import PackedBlocks


class QuantizedKVCache(KVCache):
    """A `KVCache` that keeps a text's first and last tokens in full precision and
    quantizes those in between, in blocks.

    Keys have a few channels that are large for all tokens. With a scale per channel,
    these don't make the steps of the other channels larger; but a block must be
    complete before it has a scale. Values have no such channels, so each token's vector
    of a head has its own scale. New tokens read each other's exact keys; a block is
    quantized once at least `residual` tokens have followed it.

    Args:
        config: The decoder's settings, without a sliding window.
        length: The maximum number of tokens per row; None for the model's context
            length.
        bits: 2, 4 or 8.
        keys_per: "channel" for a scale of the keys per channel of a block, or "token"
            for one per token.
        block_size: The number of tokens that are quantized together.
        residual: The minimum number of last tokens in full precision.
        sinks: The number of first tokens in full precision, which many queries attend
            to.

    Raises:
        ValueError: If a setting is out of range, or the model has a sliding window.

    Source: Liu et al., KIVI (blocks of keys per channel, values per token, recent
        tokens), https://arxiv.org/abs/2402.02750; Hooper et al., KVQuant (first
        tokens), https://arxiv.org/abs/2401.18079

    >>> config = DecoderConfig.llama(layers=30, width=576, heads=9, key_value_heads=3)
    >>> exact = KVCache(*config.cache_sizes(length=1000))
    >>> cache = QuantizedKVCache(config, length=1000, bits=4)
    >>> cache.nbytes / (exact.keys.nbytes + exact.values.nbytes)  # of 32 bits
    0.2095
    """

    def __init__(
        self,
        config: DecoderConfig,
        batch_size: int = 1,
        length: int | None = None,
        *,
        bits: int = 4,
        keys_per: str = "channel",
        block_size: int = 32,
        residual: int = 32,
        sinks: int = 4,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str | None = None,
    ):
        if block_size < 1 or residual < 0 or sinks < 0:
            raise ValueError(
                "block_size must be positive, residual and sinks not negative; got "
                f"{block_size=}, {residual=}, {sinks=}."
            )
        if config.attention.sliding_window is not None:
            raise ValueError(
                "A model with a sliding window forgets tokens: use its own cache, from "
                "`DecoderLM.make_cache`."
            )
        self.block_size, self.residual, self.exact_sinks = block_size, residual, sinks
        self.blocks = 0  # how many blocks are quantized
        sizes = config.cache_sizes(batch_size, length)
        # A block stays until `residual` tokens have followed it.
        slots = min(sizes[3], sinks + residual + block_size - 1)
        super().__init__(*sizes, dtype, device, slots)
        blocks = self._blocks_of(self.length)
        shape = (*self.keys.shape[:3], blocks, block_size, config.head_width)
        self.packed_keys = PackedBlocks(shape, bits, keys_per, device)
        self.packed_values = PackedBlocks(shape, bits, "token", device)

    @property
    def nbytes(self) -> int:
        """The bytes of all keys and values at full length: levels, scales, offsets, and
        tokens in full precision.
        """
        exact = self.keys.nbytes + self.values.nbytes
        return exact + self.packed_keys.nbytes + self.packed_values.nbytes

    def append(
        self,
        layer: int,
        key: Float[Tensor, "batch head new dim"],
        value: Float[Tensor, "batch head new dim"],
    ) -> tuple[Tensor, Tensor]:
        """Store a layer's keys and values for the new tokens, and return the whole
        text's keys and values, the quantized ones rounded.
        """
        packs, exact = (self.packed_keys, self.packed_values), (self.keys, self.values)
        held = self.start - self.blocks * self.block_size
        texts = []
        for stored, packed, new in zip(exact, packs, (key, value), strict=True):
            known = torch.cat((stored[layer, :, :, :held], new), dim=2)
            rounded = packed.read(layer, self.blocks, new.dtype)
            sinks, recent = known.tensor_split([self.exact_sinks], dim=2)
            texts.append(torch.cat((sinks, rounded, recent), dim=2))
            self._store(layer, stored, packed, sinks, recent)
        return texts[0], texts[1]

    def finish(self) -> None:
        """Finish a forward pass: mark its tokens as read."""
        super().finish()
        self.blocks = max(self.blocks, self._blocks_of(self.lengths[0]))

    def rewind(self, length: int) -> None:
        """Forget all tokens after the first `length`, see `KVCache.rewind`; the last
        `residual` tokens can always be forgotten.

        Raises:
            ValueError: If a token to forget is quantized, or see `KVCache.rewind`.
        """
        end = self.exact_sinks + self.blocks * self.block_size
        if self.blocks and length < end:
            raise ValueError(
                f"The first {end} tokens are quantized in whole blocks or kept as "
                f"sinks, so the cache cannot go back to {length}. Make it with a "
                "residual as long as what you may want to forget, or use `keep`, which "
                "reads the text again."
            )
        super().rewind(length)

    def select(self, rows: Sequence[int]) -> None:
        """Replace the rows by copies of these ones, in this order; see
        `KVCache.select`.
        """
        super().select(rows)
        self.packed_keys.select(rows)
        self.packed_values.select(rows)

    def _store(
        self,
        layer: int,
        stored: Tensor,
        packed: PackedBlocks,
        sinks: Tensor,
        recent: Tensor,
    ) -> None:
        """Quantize the blocks that enough tokens have followed, and keep the rest."""
        count = max(0, self._blocks_of(self.end) - self.blocks)
        ready, rest = recent.tensor_split([count * self.block_size], dim=2)
        if count:
            blocks = ready.unflatten(2, (count, self.block_size))
            packed.write(layer, self.blocks, blocks)
        kept = torch.cat((sinks, rest), dim=2)
        stored[layer, :, :, : kept.shape[2]] = kept

    def _store_ids(self, ids: Int[Tensor, "batch new"]) -> None:
        if not self.equal_rows or self.new_lengths != [ids.shape[1]] * len(ids):
            raise ValueError(
                "The rows of a QuantizedKVCache have equal lengths, unpadded."
            )
        super()._store_ids(ids)

    def _rewind(self, length: int) -> None:
        # A block that was cut has lost its exact numbers: its tokens are read again.
        end = self.exact_sinks + self.blocks * self.block_size
        if self.interrupted:  # some layers may have quantized a block, others not
            length = 0
        if length < end and self.blocks:
            self.blocks = max(0, length - self.exact_sinks) // self.block_size
            length = min(length, self.exact_sinks + self.blocks * self.block_size)
        super()._rewind(length)
        self.blocks = self.blocks if self.lengths[0] else 0

    def _blocks_of(self, length: int) -> int:
        """Return how many blocks are quantized in a text of this length."""
        return max(0, length - self.exact_sinks - self.residual) // self.block_size


@torch.no_grad()
def read_with_cache(
    model: DecoderLM,
    ids: Int[Tensor, "batch position"],
    cache: KVCache,
    piece: int = 1,
) -> Float[Tensor, "batch position vocab"]:
    """Return the logits of a text that is read through a cache, a few tokens at a time,
    as when it is generated.

    Args:
        ids: The text; the cache does not hold any of it.
        piece: The number of tokens per forward pass.
    """
    context = AttentionContext.cached(cache)
    return torch.cat([model(part, context) for part in ids.split(piece, 1)], dim=1)
