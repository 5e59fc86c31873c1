"""The recall task: pairs of a key and a value, and questions for the value that a key
had last; and, without training, how much a memory holds.
"""

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from genai_tutorial.tasks import check_choice
from genai_tutorial.transformer import parallel_memory

_KEYS = 32
"""The number of keys, tokens 0 to 31, and of values, tokens 32 to 63."""

_QUESTIONS = 12
"""The number of questions at the end of each row."""

_WRITES = 24
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
    if keys > _WRITES:
        raise ValueError(f"A table of {keys} keys needs more than {_WRITES} writes.")
    written = _draw_keys(rows, keys, generator)
    more = torch.randint(keys, (rows, _WRITES - keys), generator=generator)
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


def _draw_keys(rows: int, keys: int, generator: torch.Generator) -> Tensor:
    if not 2 <= keys <= _KEYS:
        raise ValueError(
            f"There are {_KEYS} keys, and a row has 2 or more; got {keys}."
        )
    return torch.rand(rows, _KEYS, generator=generator).argsort(dim=1)[:, :keys]


def _shuffle(keys: Tensor, generator: torch.Generator) -> Tensor:
    """Return each row in a random order of its own."""
    order = torch.rand(keys.shape, generator=generator).argsort(dim=1)
    return keys.gather(1, order)


def _ask(
    written: Tensor, keys: int, generator: torch.Generator, asked: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Draw values for the written keys, and questions for the first `keys` columns."""
    rows, writes = written.shape
    values = torch.randint(_KEYS, 2 * _KEYS, written.shape, generator=generator)
    chosen = torch.randint(keys, (rows, _QUESTIONS), generator=generator)
    question = (written if asked is None else asked).gather(1, chosen)
    same = written[:, None, :] == question[:, :, None]
    last = torch.where(same, torch.arange(writes), -1).amax(dim=2)
    pairs = torch.stack([written, values], dim=2).flatten(1)
    answers = torch.stack([question, values.gather(1, last)], dim=2).flatten(1)
    inputs = torch.cat([pairs, answers], dim=1)[:, :-1]
    targets = torch.full_like(inputs, _NO_TARGET)
    targets[:, 2 * writes :: 2] = answers[:, 1::2]
    return inputs, targets


MemoryRule = Literal["add", "decay", "delta", "least squares", "softmax"]
"""What turns the written pairs into what a key reads: adding with or without decay, the
delta rule, the best matrix, or attention over all pairs."""

_DRAWS = 200
"""The number of independent memories over which `stored_recall` averages."""

_VALUES, _VALUE_WIDTH = 64, 32
_SHARPNESS = 30.0


def stored_recall(
    rule: MemoryRule,
    pairs: int,
    generator: torch.Generator,
    *,
    key_width: int = 16,
    overwritten: bool = False,
    decay: float = 0.95,
    beta: float = 1.0,
) -> Float[Tensor, "write"]:
    """Write pairs of a random unit key and one of 64 random values of 32 features, read
    every key, and return how often the nearest value is the correct one, for each write
    from the oldest to the newest.

    Args:
        overwritten: If true, the first half of the keys is written again at the end; a
            value that no longer counts has the result NaN.
        decay: What is left of the state before each write, for the rule with decay.
        beta: The share of the difference that the delta rule writes.

    Raises:
        ValueError: If the rule is unknown.
    """
    check_choice("rule", rule, MemoryRule)
    again = pairs // 2 if overwritten else 0
    values = torch.randn(_VALUES, _VALUE_WIDTH, generator=generator)
    values = functional.normalize(values, dim=-1)
    key = torch.randn(_DRAWS, 1, pairs, key_width, generator=generator)
    key = functional.normalize(key, dim=-1)
    key = torch.cat([key, key[:, :, :again]], dim=2)
    chosen = torch.randint(_VALUES, (_DRAWS, pairs + again), generator=generator)
    read = _read(rule, key, values[chosen][:, None], decay, beta)
    correct = (read[:, 0] @ values.T).argmax(dim=-1) == chosen
    share = correct.float().mean(dim=0)
    share[:again] = torch.nan
    return share


def _read(
    rule: MemoryRule, key: Tensor, value: Tensor, decay: float, beta: float
) -> Tensor:
    """Return what each key reads after all pairs were written."""
    if rule == "softmax":
        return (_SHARPNESS * key @ key.transpose(-1, -2)).softmax(dim=-1) @ value
    if rule == "least squares":
        return key @ (torch.linalg.pinv(key) @ value)
    ones = torch.ones_like(key[..., 0])
    log_decay = (decay * ones).log() if rule == "decay" else None
    betas = beta * ones if rule == "delta" else None
    return key @ parallel_memory(key, key, value, log_decay, betas)[1]
