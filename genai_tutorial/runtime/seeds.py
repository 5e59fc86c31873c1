"""One seed for all random generators, so that each run gives the same results."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def seed_everything(seed: int) -> torch.Generator:
    """Seed Python, NumPy and torch, and return a new generator for code that takes one.

    Args:
        seed: A whole number from 0 to 2**32 - 1.

    Raises:
        ValueError: If the seed is outside that range.

    >>> first = torch.randn(3, generator=seed_everything(7))
    >>> torch.equal(first, torch.randn(3, generator=seed_everything(7)))
    True
    """
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**32:
        raise ValueError(
            f"seed must be a whole number from 0 to 4294967295, got {seed!r}."
        )
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  (libraries that take no generator read this one)
    torch.manual_seed(seed)
    return torch.Generator().manual_seed(seed)


@contextmanager
def torch_seed(seed: int) -> Iterator[None]:
    """Seed torch's global random generator on the CPU within a block, and restore it
    afterwards: for layers that draw their initial weights from it.

    >>> with torch_seed(0):
    ...     first = torch.nn.Linear(2, 1).weight
    >>> with torch_seed(0):
    ...     print(torch.equal(first, torch.nn.Linear(2, 1).weight))
    True
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
