"""Call something on the CPU and on the pretend device, and compare the results."""

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from genai_tutorial.training import train_step
from tests.device import pretend
from tests.drawn import seeded


def rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=seeded(seed))


def ints(*shape: int, below: int, seed: int = 0) -> Tensor:
    return torch.randint(below, shape, generator=seeded(seed))


def step(model: nn.Module, loss: Callable[..., Tensor], *batch: Any) -> tuple:
    """Return the loss of a training step and the weights after it."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    return train_step(model, batch, loss, optimizer), model


def moved(x: Any, device: torch.device) -> Any:
    """Return a copy of an argument, with all its tensors on the device."""
    if isinstance(x, Tensor):
        return x.detach().clone().to(device)
    if isinstance(x, nn.Module):
        return copy.deepcopy(x).to(device)
    if isinstance(x, torch.Generator):  # each call draws the same numbers
        return x.clone_state()
    if is_dataclass(x) and not isinstance(x, type):
        parts = {each.name: getattr(x, each.name) for each in fields(x) if each.init}
        return replace(x, **moved(parts, device))
    if isinstance(x, dict):
        return {name: moved(value, device) for name, value in x.items()}
    if isinstance(x, tuple) and hasattr(x, "_fields"):
        return type(x)(*moved(tuple(x), device))
    if isinstance(x, list | tuple):
        return type(x)(moved(value, device) for value in x)
    return x


def leaves(x: Any) -> Iterator[Any]:
    """Yield the tensors, numbers and texts in a result."""
    if isinstance(x, nn.Module):
        yield from x.state_dict().values()
    elif is_dataclass(x) and not isinstance(x, type):
        for each in fields(x):
            yield from leaves(getattr(x, each.name))
    elif isinstance(x, Mapping):
        yield from leaves(list(x.values()))
    elif isinstance(x, list | tuple | Iterator):
        for value in x:
            yield from leaves(value)
    elif isinstance(x, Tensor | int | float | str | bytes):
        yield x


def check(function: Callable, *arguments: Any) -> None:
    """Check that the results on both devices are equal, and that the results of tensors
    on the device are there too. Some layers have a faster form for plain CPU tensors,
    with another order of the sums, so the last digits may differ.
    """
    device = pretend.register()
    results = []
    for place in (torch.device("cpu"), device):
        torch.manual_seed(0)
        results.append(list(leaves(function(*moved(arguments, place)))))
    expected, found = results
    # What is made from plain lists may stay on the CPU.
    all_lists = not any(isinstance(x, Tensor) for x in arguments)
    assert len(found) == len(expected) > 0
    for ours, theirs in zip(found, expected, strict=True):
        if isinstance(theirs, Tensor):
            assert ours.device == device or all_lists, f"this is on {ours.device}"
            torch.testing.assert_close(
                ours.detach().cpu(), theirs.detach(), rtol=1e-4, atol=1e-5
            )
        else:
            is_float = isinstance(theirs, float)
            close = pytest.approx(theirs, rel=1e-4, abs=1e-5) if is_float else theirs
            assert ours == close
