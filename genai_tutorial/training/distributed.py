"""Data parallel: several processes, each with a copy of the model and its share of every batch.

Start a program with `torchrun --nproc-per-node 2 program.py`; the same program runs alone without torchrun.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True)
class Process:
    """Which of the processes this one is.

    Attributes:
        rank: Its number, from 0.
        world_size: How many there are.
    """

    rank: int = 0
    world_size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the one that prints and saves."""
        return self.rank == 0


@contextmanager
def process_group(device: torch.device) -> Iterator[Process]:
    """Joins the processes that torchrun started; alone, there is one and nothing to join.

    Processes on GPUs talk through NCCL and each takes the GPU of its number; on CPUs they talk through Gloo.

    >>> with process_group(torch.device("cpu")) as process:
    ...     process
    Process(rank=0, world_size=1)
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ and "WORLD_SIZE" not in os.environ:
        yield Process()
        return
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Process(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()


def parallel(model: nn.Module) -> nn.Module:
    """Wraps a model so that backward averages gradients over all processes; alone, returns it unchanged."""
    if not _several():
        return model
    device = next(model.parameters()).device
    return DistributedDataParallel(model, device_ids=[device] if device.type == "cuda" else None)


def unwrap(model: nn.Module) -> nn.Module:
    """Returns the model inside what `parallel` returned."""
    return model.module if isinstance(model, DistributedDataParallel) else model


def mean_over_processes(value: Float[Tensor, ""]) -> Float[Tensor, ""]:
    """Averages a number over all processes, so that each reports the loss of the whole batch.

    >>> mean_over_processes(torch.tensor(2.5))
    tensor(2.5000)
    """
    if not _several():
        return value
    total = value.detach().clone()
    distributed.all_reduce(total)
    return total / distributed.get_world_size()


def is_first_process() -> bool:
    """Whether this process is the only one, or number 0 of several."""
    return not _several() or distributed.get_rank() == 0


def _several() -> bool:
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1
