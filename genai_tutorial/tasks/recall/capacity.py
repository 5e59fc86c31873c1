"""How much a memory of fixed size holds, without training: random keys and values."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from genai_tutorial.transformer import parallel_memory

from ..task import check_choice

MemoryRule = Literal["add", "decay", "delta", "least squares", "softmax"]
"""What turns the written pairs into what a key reads: adding with or without decay, the
delta rule with beta 1, the best matrix, or attention over all pairs."""

DRAWS = 200
"""The number of independent memories over which `stored_recall` averages."""

_VALUES, _VALUE_WIDTH = 64, 32
_DECAY, _SHARPNESS = 0.95, 30.0


def stored_recall(
    rule: MemoryRule,
    pairs: int,
    generator: torch.Generator,
    *,
    key_width: int = 16,
    overwritten: bool = False,
) -> Float[Tensor, "write"]:
    """Write pairs of a random unit key and one of 64 random values of 32 features, read
    every key, and return how often the nearest value is the correct one, for each write
    from the oldest to the newest.

    Args:
        key_width: The number of features of a key.
        overwritten: If true, the first half of the keys is written again at the end; a
            value that no longer counts has the result NaN.

    Raises:
        ValueError: If the rule is unknown.
    """
    check_choice("rule", rule, MemoryRule)
    again = pairs // 2 if overwritten else 0
    values = torch.randn(_VALUES, _VALUE_WIDTH, generator=generator)
    values = functional.normalize(values, dim=-1)
    key = torch.randn(DRAWS, 1, pairs, key_width, generator=generator)
    key = functional.normalize(key, dim=-1)
    key = torch.cat([key, key[:, :, :again]], dim=2)
    chosen = torch.randint(_VALUES, (DRAWS, pairs + again), generator=generator)
    read = _read(rule, key, values[chosen][:, None])
    correct = (read[:, 0] @ values.T).argmax(dim=-1) == chosen
    share = correct.float().mean(dim=0)
    share[:again] = torch.nan
    return share


def _read(rule: MemoryRule, key: Tensor, value: Tensor) -> Tensor:
    """Return what each key reads after all pairs were written."""
    if rule == "softmax":
        return (_SHARPNESS * key @ key.transpose(-1, -2)).softmax(dim=-1) @ value
    if rule == "least squares":
        return key @ (torch.linalg.pinv(key) @ value)
    ones = torch.ones_like(key[..., 0])
    log_decay = (_DECAY * ones).log() if rule == "decay" else None
    beta = ones if rule == "delta" else None
    return key @ parallel_memory(key, key, value, log_decay, beta)[1]
