"""Numbers that depend on a seed alone, and models whose weights are all disturbed."""

import torch
from torch import Tensor


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0, **more) -> Tensor:
    return torch.randn(*shape, generator=seeded(seed), **more)


def integers(below: int, *shape: int, seed: int = 0) -> Tensor:
    return torch.randint(below, shape, generator=seeded(seed))


@torch.no_grad()
def stirred(module, seed=0, size=0.2, without=()):
    """Add noise to every weight: none is zero then, and no gain is one."""
    generator = seeded(seed)
    for name, parameter in module.named_parameters():
        if name not in without:
            parameter.add_(size * torch.randn(parameter.shape, generator=generator))
    return module
