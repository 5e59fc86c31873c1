"""One forward pass over new tokens of several texts."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.efficiency.batching.blocks import BlockTable
from genai_tutorial.efficiency.batching.paged_cache import PagedKVCache
from genai_tutorial.tokenization import PADDING
from genai_tutorial.transformer import AttentionContext, DecoderLM


@torch.no_grad()
def read_tables(
    model: DecoderLM,
    cache: PagedKVCache,
    tables: Sequence[BlockTable],
    new: Sequence[Sequence[int]],
) -> Float[Tensor, "text vocab"]:
    """Read new tokens at the end of several texts in one forward pass, and return the
    logits after each text.

    Texts with different numbers of new tokens are joined to one row, or padded, see
    `BlockPool.joins`.

    Args:
        model: The model that reads.
        cache: The cache of all texts.
        tables: The texts, each at most once.
        new: The new tokens of each text, at least one.

    Raises:
        OutOfBlocks: If the cache has too few blocks for the new tokens.
    """
    for table, ids in zip(tables, new, strict=True):
        cache.pool.reserve(table, len(ids))
    cache.open(tables)
    counts = torch.tensor([len(ids) for ids in new], device=cache.pool.keys.device)
    longest, total = int(counts.max()), int(counts.sum())
    joins = cache.pool.joins(total, sum(cache.lengths) + total)
    if joins and int(counts.min()) < longest:
        rows = [[token for ids in new for token in ids]]
        last = counts.cumsum(0) - 1
    else:
        rows = [[*ids, *[PADDING] * (longest - len(ids))] for ids in new]
        last = torch.arange(len(rows), device=counts.device) * longest + counts - 1
    ids = torch.tensor(rows, device=counts.device)
    hidden = model.read(ids, AttentionContext.cached(cache, counts))
    return model.logits(hidden.flatten(0, 1)[last][:, None])[:, 0]
