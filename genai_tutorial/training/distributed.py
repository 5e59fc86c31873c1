"""Several processes, each with its share of every batch, and a copy of the model (data
parallel) or a part of it.

Start a program with `torchrun --nproc-per-node 2 program.py`; the same program runs
alone without torchrun. With `--max-restarts 3`, torchrun starts all processes again
when one is lost, and `fit` goes on from its checkpoint; set
TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 then, or the new processes look for the old ones
(https://github.com/pytorch/pytorch/issues/135712).
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

# What Gloo and NCCL say when the connection to another process breaks or nothing comes
# through it any more.
_SIGNS_OF_A_LOST_PROCESS = (
    "Connection closed by peer",
    "Connection reset by peer",
    "Broken pipe",
    "remote process exited",
)


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
    """Join the processes that torchrun started; alone, there is one and nothing to
    join.

    Processes on GPUs talk through NCCL and each takes the GPU of its number; on CPUs
    they talk through Gloo.

    Raises:
        ConnectionError: If another process is lost.

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
    except RuntimeError as error:
        if not any(sign in str(error) for sign in _SIGNS_OF_A_LOST_PROCESS):
            raise
        raise ConnectionError(
            f"Process {distributed.get_rank()} of {distributed.get_world_size()} has "
            "lost another one: it was killed, "
            "ran out of memory or raised an error, which its own output tells. Start "
            "the same program again: it goes "
            "on from the last checkpoint."
        ) from error
    finally:
        distributed.destroy_process_group()


def parallel(model: nn.Module) -> nn.Module:
    """Wrap a model so that backward averages gradients over all processes; alone,
    returns it unchanged.
    """
    if not _several():
        return model
    device = next(model.parameters()).device
    return DistributedDataParallel(
        model, device_ids=[device] if device.type == "cuda" else None
    )


def shard(model: nn.Module, parts: Iterable[nn.Module] = ()) -> nn.Module:
    """Split a model's weights over all processes, with their gradients and what the
    optimiser remembers of them.

    Each process keeps its share of every tensor. A part is put together when its turn
    comes, forward and backward, and is given up again; gradients are averaged as with
    `parallel`. Alone, the model stays as it is.

    Args:
        model: The model; it is changed in place and returned. Build the optimiser
            afterwards.
        parts: What is put together at a time, usually the model's blocks; what is in
            none of them comes together at the start and stays.

    Source: Zhao et al., PyTorch FSDP, https://arxiv.org/abs/2304.11277; here by
    `torch.distributed.fsdp.fully_shard`
    """
    if _several():
        from torch.distributed.device_mesh import (
            init_device_mesh,
        )  # these take a second to import
        from torch.distributed.fsdp import fully_shard

        device = next(model.parameters()).device
        mesh = init_device_mesh(device.type, (distributed.get_world_size(),))
        for part in parts:
            fully_shard(part, mesh=mesh)
        fully_shard(model, mesh=mesh)
    return model


def is_sharded(model: nn.Module) -> bool:
    """Whether `shard` has split a model over several processes."""
    return hasattr(model, "set_requires_gradient_sync")  # what `fully_shard` adds


@contextmanager
def together(model: nn.Module, now: bool) -> Iterator[None]:
    """Lets backward add up gradients in each process, and bring them together only
    where `now` is True.
    """
    if isinstance(model, DistributedDataParallel) and not now:
        with model.no_sync():
            yield
        return
    if is_sharded(model):
        model.set_requires_gradient_sync(now)
    yield


def unwrap(model: nn.Module) -> nn.Module:
    """Return the model inside what `parallel` returned."""
    return model.module if isinstance(model, DistributedDataParallel) else model


def mean_over_processes(value: Float[Tensor, ""]) -> Float[Tensor, ""]:
    """Averages a number over all processes, so that each reports the loss of the whole
    batch.

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
    return (
        distributed.is_available()
        and distributed.is_initialized()
        and distributed.get_world_size() > 1
    )
