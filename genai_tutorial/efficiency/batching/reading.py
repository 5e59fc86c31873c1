"""One forward pass over new tokens of several texts."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.tokenization import PADDING
from genai_tutorial.transformer import AttentionContext, DecoderLM

from .blocks import BlockTable
from .paged_cache import PagedKVCache


@torch.no_grad()
def read_tables(
    model: DecoderLM,
    cache: PagedKVCache,
    tables: Sequence[BlockTable],
    new: Sequence[Sequence[int]],
) -> Float[Tensor, "text vocab"]:
    """Read new tokens at the end of several texts in one forward pass, and return the
    logits after each text.
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
