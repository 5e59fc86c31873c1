"""Continuous batching: after every forward pass, finished requests leave the batch and
waiting ones join it.
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.tokenization import PADDING
from genai_tutorial.transformer import AttentionContext, DecoderLM

from .cache import BlockPool, BlockTable, PagedKVCache
from .requests import Answer, Request, Statistics
from .scheduler import PrefixCache, Scheduler


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


class Engine:
    """Continuous batching for one model, for use by a single thread.

    Args:
        max_running: Maximum number of requests that run at the same time.
        share_prefixes: If true, texts share the blocks of common prefixes, if the model
            allows it.

    Raises:
        ValueError: If a number is below 1.

    Source: Yu et al., Orca, section 3 (S1, iteration-level scheduling),
        https://www.usenix.org/conference/osdi22/presentation/yu

    >>> from genai_tutorial.efficiency import SamplingOptions
    >>> from genai_tutorial.transformer import DecoderConfig
    >>> model = DecoderLM(DecoderConfig.llama(9, 64, 16, 1, 2, 1, 32))
    >>> engine = Engine(model)
    >>> for length in (2, 5):
    ...     _ = engine.add(Request((1, 2, 3), SamplingOptions(max_new_tokens=length)))
    >>> [len(answer.ids) for answer in engine.run()]
    [2, 5]
    """

    def __init__(
        self,
        model: DecoderLM,
        *,
        blocks: int = 256,
        block_size: int = 16,
        max_running: int = 16,
        share_prefixes: bool = True,
    ):
        if min(blocks, block_size, max_running) < 1:
            raise ValueError(
                "blocks, block_size and max_running must be at least 1; got "
                f"{blocks}, {block_size} and {max_running}."
            )
        self.model = model
        self.pool = BlockPool(model, blocks, block_size)
        self.cache = PagedKVCache(self.pool)
        shares = share_prefixes and self.pool.can_share
        self.prefixes = PrefixCache(self.pool) if shares else None
        self.scheduler = Scheduler(self.pool, self.prefixes, max_running)

    @property
    def statistics(self) -> Statistics:
        """The counts of all passes so far."""
        counts = self.scheduler.statistics
        counts.copies = self.pool.copies
        counts.evictions = 0 if self.prefixes is None else self.prefixes.evictions
        return counts

    @property
    def is_idle(self) -> bool:
        """True if no request is waiting or running."""
        return not self.scheduler.waiting and not self.scheduler.running

    def add(
        self, request: Request, on_token: Callable[[int], object] | None = None
    ) -> Answer:
        """Put a request into the queue, and return its answer, which is still empty.

        Args:
            on_token: Called with each token as soon as it is drawn. If it raises, this
                answer ends with an error; the others continue.

        Raises:
            ValueError: If the request does not fit into the context window or the
                cache, or has a token that the model does not know.
        """
        config = self.model.config
        if not all(0 <= token < config.vocab_size for token in request.prompt):
            raise ValueError(
                f"Tokens must be from 0 to {config.vocab_size - 1}, got values from "
                f"{min(request.prompt)} to {max(request.prompt)}. Was the prompt "
                "encoded with another tokenizer?"
            )
        if request.longest > config.context_length:
            raise ValueError(
                f"The model sees at most {config.context_length} tokens at once; the "
                f"prompt has {len(request.prompt)}, and the answer may have "
                f"{request.options.max_new_tokens}. Shorten one of them."
            )
        answer = Answer(request, on_token)
        self.scheduler.add(answer)
        return answer

    def cancel(self, answer: Answer) -> None:
        """End an answer, which keeps the tokens drawn so far, and free its blocks."""
        if not answer.is_finished:
            answer.finish_reason = "cancelled"
            self.scheduler.remove(answer)

    def step(self) -> list[Answer]:
        """Run one forward pass, draw a token for each request in it, and return their
        answers; none if no request waits or runs.
        """
        batch = self.scheduler.next_batch()
        if not batch:
            return []
        self._count(batch)
        drawn_before = sum(len(answer.ids) for answer in batch)
        has_read_prompts = max(len(self.scheduler.unread(a)) for a in batch) > 1
        results = self._read(batch)
        if has_read_prompts:
            self.scheduler.has_read([answer for answer, _ in results])
        for answer, logits in results:
            if not answer.is_finished:  # cancelled while others drew
                answer.draw(logits)
        for answer in batch:
            if answer.is_finished:
                self.scheduler.remove(answer)
        drawn = sum(len(answer.ids) for answer in batch)
        self.scheduler.statistics.tokens_drawn += drawn - drawn_before
        return batch

    def run(self) -> list[Answer]:
        """Run until every request is finished, and return the answers in the order in
        which the requests were added.
        """
        answers = [*self.scheduler.running, *self.scheduler.waiting]
        while not self.is_idle:
            self.step()
        return answers

    def _read(self, batch: list[Answer]) -> list[tuple[Answer, Tensor]]:
        """Return the logits after each text."""
        tables = [self.scheduler.tables[answer] for answer in batch]
        unread = [self.scheduler.unread(answer) for answer in batch]
        try:
            logits = read_tables(self.model, self.cache, tables, unread)
            if self.pool.can_share and len(batch) > 1:
                _check(logits, tables, unread)
            return list(zip(batch, logits, strict=True))
        except Exception as error:  # whatever a model raises
            if len(batch) == 1:
                batch[0].fail(error)
                return []
            return [result for answer in batch for result in self._read([answer])]

    def _count(self, batch: list[Answer]) -> None:
        counts, size = self.scheduler.statistics, self.pool.block_size
        new = {answer: len(self.scheduler.unread(answer)) for answer in batch}
        keys = sum(len(answer.text) for answer in batch)
        positions = total = sum(new.values())
        if not self.pool.joins(total, keys):
            positions = len(batch) * max(new.values())
        counts.count_pass(list(new.values()), len(batch), positions)
        filled: dict[int, int] = {}  # how many slots of each block hold a token
        for answer, table in self.scheduler.tables.items():
            length = table.length + new.get(answer, 0)
            for place, block in enumerate(table.blocks):
                held = min(size, length - place * size)
                filled[block] = max(held, filled.get(block, 0))
        counts.count_slots(size * len(filled), sum(filled.values()))


def _check(
    logits: Float[Tensor, "text vocab"],
    tables: list[BlockTable],
    unread: list[list[int]],
) -> None:
    """Undo a pass whose logits are not finite: if texts are joined, NaN in one of them
    spreads to all.
    """
    if not logits.amax(dim=-1).isfinite().all():
        for table, ids in zip(tables, unread, strict=True):
            table.length -= len(ids)
        raise ValueError("The logits of a pass are not finite.")
