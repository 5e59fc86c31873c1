"""Rows of pairs of a key and a value, followed by questions for the last value of a
key; and bits with their parity.
"""

import torch
from jaxtyping import Int
from torch import Tensor, nn
from torch.nn import functional

KEYS = 32
"""The number of keys, tokens 0 to 31, and of values, tokens 32 to 63."""

QUESTIONS = 12
"""The number of questions at the end of each row."""

WRITES = 24
"""The number of pairs in a row of `table_batch`."""

_NO_TARGET = -100  # what PyTorch's cross-entropy ignores


def recall_batch(
    rows: int, pairs: int, generator: torch.Generator, *, overwritten: bool = False
) -> tuple[Int[Tensor, "row position"], Int[Tensor, "row position"]]:
    """Draw rows that write `pairs` different keys once and end in 12 questions; return
    them and their next tokens, of which only the answers count: the others are -100.

    Args:
        pairs: The number of keys, 2 to 32.
        overwritten: If true, half of the keys are written again with new values.

    Raises:
        ValueError: If the number of pairs is out of range.

    Source: Arora et al., Zoology, section 3.2 (multi-query associative recall),
        https://arxiv.org/abs/2312.04927
    """
    keys = _draw_keys(rows, pairs, generator)
    if overwritten:
        again = _shuffle(keys, generator)[:, : pairs // 2]
        keys = torch.cat([keys, again], dim=1)
    return _ask(keys, pairs, generator)


def table_batch(
    rows: int, keys: int, generator: torch.Generator
) -> tuple[Int[Tensor, "row position"], Int[Tensor, "row position"]]:
    """Draw rows of 24 writes to a table with this many keys, each at least once, in
    random order; otherwise as `recall_batch`.

    Raises:
        ValueError: If the number of keys is not from 2 to 24.
    """
    if keys > WRITES:
        raise ValueError(f"A table of {keys} keys needs more than {WRITES} writes.")
    written = _draw_keys(rows, keys, generator)
    more = torch.randint(keys, (rows, WRITES - keys), generator=generator)
    written = torch.cat([written, written.gather(1, more)], dim=1)
    # The questions ask for the keys in the first columns, so their order is kept apart.
    return _ask(_shuffle(written, generator), keys, generator, asked=written)


@torch.no_grad()
def answer_accuracy(
    model: nn.Module,
    inputs: Int[Tensor, "row position"],
    targets: Int[Tensor, "row position"],
) -> float:
    """Return the share of targets that are the most probable next token; targets of
    -100 don't count.
    """
    asked = targets != _NO_TARGET
    return (model(inputs).argmax(dim=-1) == targets)[asked].float().mean().item()


def parity_batch(
    rows: int, length: int, generator: torch.Generator
) -> tuple[Int[Tensor, "row position"], Int[Tensor, "row position"]]:
    """Draw rows of bits after a start token, 2, and return them with the parity of the
    bits up to each position.

    >>> ids, parity = parity_batch(1, 6, torch.Generator().manual_seed(0))
    >>> ids, parity
    (tensor([[2, 0, 1, 1, 0, 1, 1]]), tensor([[0, 0, 1, 0, 0, 1, 0]]))
    """
    bits = torch.randint(2, (rows, length), generator=generator)
    parity = functional.pad(bits.cumsum(dim=1) % 2, (1, 0))
    return functional.pad(bits, (1, 0), value=2), parity


def _draw_keys(rows: int, keys: int, generator: torch.Generator) -> Tensor:
    if not 2 <= keys <= KEYS:
        raise ValueError(f"There are {KEYS} keys, and a row has 2 or more; got {keys}.")
    return torch.rand(rows, KEYS, generator=generator).argsort(dim=1)[:, :keys]


def _shuffle(keys: Tensor, generator: torch.Generator) -> Tensor:
    """Return each row in a random order of its own."""
    order = torch.rand(keys.shape, generator=generator).argsort(dim=1)
    return keys.gather(1, order)


def _ask(
    written: Tensor,
    keys: int,
    generator: torch.Generator,
    asked: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Draw values for the written keys, and questions for the first `keys` columns."""
    rows, writes = written.shape
    values = torch.randint(KEYS, 2 * KEYS, written.shape, generator=generator)
    chosen = torch.randint(keys, (rows, QUESTIONS), generator=generator)
    question = (written if asked is None else asked).gather(1, chosen)
    same = written[:, None, :] == question[:, :, None]
    last = torch.where(same, torch.arange(writes), -1).amax(dim=2)
    pairs = torch.stack([written, values], dim=2).flatten(1)
    answers = torch.stack([question, values.gather(1, last)], dim=2).flatten(1)
    inputs = torch.cat([pairs, answers], dim=1)[:, :-1]
    targets = torch.full_like(inputs, _NO_TARGET)
    targets[:, 2 * writes :: 2] = answers[:, 1::2]
    return inputs, targets
