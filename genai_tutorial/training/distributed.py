"""Data parallelism: several processes, each with its share of every batch and a copy or
a part of the model.

Start a program with `torchrun --nproc-per-node 2 program.py`. With `--max-restarts 3`,
torchrun restarts all processes when one is lost, and `fit` resumes from its checkpoint;
set TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1, or the new processes look for the old ones
(https://github.com/pytorch/pytorch/issues/135712).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from genai_tutorial.transformer import OnlineSoftmax, update_with_block

# Messages of Gloo and NCCL when the connection to another process breaks or stops
# responding.
_SIGNS_OF_A_LOST_PROCESS = (
    "Connection closed by peer",
    "Connection reset by peer",
    "Broken pipe",
    "remote process exited",
)


@dataclass(frozen=True)
class Process:
    """One process of a training run.

    Attributes:
        rank: Its number, from 0.
    """

    rank: int = 0
    world_size: int = 1

    @property
    def is_first(self) -> bool:
        """True if this process prints and saves."""
        return self.rank == 0


@contextmanager
def process_group(device: torch.device) -> Iterator[Process]:
    """Join the processes that torchrun started; without torchrun, there is only one.

    Processes on GPUs communicate through NCCL, each on the GPU of its number; on CPUs
    they communicate through Gloo.

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
            "lost another one: it was killed, ran out of memory or raised an error; "
            "see its output. Start the same program again: it resumes from the last "
            "checkpoint."
        ) from error
    finally:
        distributed.destroy_process_group()


def parallel(model: nn.Module) -> nn.Module:
    """Wrap a model so that the backward pass averages gradients over all processes; a
    single process gets it unchanged.
    """
    if not several_processes():
        return model
    device = next(model.parameters()).device
    return DistributedDataParallel(
        model, device_ids=[device] if device.type == "cuda" else None
    )


def is_sharded(model: object) -> bool:
    """Return whether `shard` has split a model over several processes."""
    return hasattr(model, "set_requires_gradient_sync")  # what `fully_shard` adds


def unwrap(model: nn.Module) -> nn.Module:
    """Return the model inside what `parallel` returned."""
    return model.module if isinstance(model, DistributedDataParallel) else model


def mean_over_processes(value: Float[Tensor, ""]) -> Float[Tensor, ""]:
    """Average a number over all processes."""
    if not several_processes():
        return value
    total = value.detach().clone()
    distributed.all_reduce(total)
    return total / distributed.get_world_size()


def is_first_process() -> bool:
    """Return whether this process is the only one, or number 0 of several."""
    return not several_processes() or distributed.get_rank() == 0


def several_processes() -> bool:
    """Return whether this process is one of several."""
    return (
        distributed.is_available()
        and distributed.is_initialized()
        and distributed.get_world_size() > 1
    )


@torch.no_grad()
def ring_attention(
    query: Float[Tensor, "*batch position dim"],
    key: Float[Tensor, "*shared position dim"],
    value: Float[Tensor, "*shared position value_dim"],
    is_causal: bool = False,
) -> Float[Tensor, "*batch position value_dim"]:
    """Return the output of attention for this process's queries, over the keys of all
    processes of the group; without a group, plain attention. Gradients are not
    computed.

    The text is split into equal parts in the order of the processes. With the causal
    mask the first processes have less to compute and wait for the last.

    Args:
        query: The queries of this process's part of the text.
        key: The keys of this part; they may have fewer heads than the queries.
        is_causal: If true, a query attends only to keys at and before its own position.

    Raises:
        ValueError: If the parts have different lengths.

    Source: Liu, Zaharia and Abbeel, Ring Attention with Blockwise Transformers for
        Near-Infinite Context, algorithm 1, https://arxiv.org/abs/2310.01889

    >>> x = torch.eye(2)
    >>> ring_attention(x, x, torch.tensor([[2.0], [4.0]]), is_causal=True)[0]
    tensor([2.])
    """
    rank, world_size = 0, 1
    if several_processes():
        rank, world_size = distributed.get_rank(), distributed.get_world_size()
        _check_lengths(query, world_size)
    length = query.shape[-2]
    state = OnlineSoftmax.empty(query.new_zeros(*query.shape[:-1], value.shape[-1]))
    for hop in range(world_size):
        owner = (rank - hop) % world_size
        if not is_causal or owner <= rank:
            starts = (rank * length, owner * length) if is_causal else None
            state = update_with_block(state, query, key, value, starts)
        if hop < world_size - 1:
            key = _pass_on(key, rank, world_size)
            value = _pass_on(value, rank, world_size)
    return state.output()


def _pass_on(x: Tensor, rank: int, world_size: int) -> Tensor:
    """Send a tensor to the next process, and return the one from the previous."""
    received = torch.empty_like(x, memory_format=torch.contiguous_format)
    after, before = (rank + 1) % world_size, (rank - 1) % world_size
    send = distributed.P2POp(distributed.isend, x.contiguous(), after)
    receive = distributed.P2POp(distributed.irecv, received, before)
    for request in distributed.batch_isend_irecv([send, receive]):
        request.wait()
    return received


def _check_lengths(query: Tensor, world_size: int) -> None:
    mine = torch.tensor([query.shape[-2]], device=query.device)
    of_all = [torch.zeros_like(mine) for _ in range(world_size)]
    distributed.all_gather(of_all, mine)
    lengths = [int(one) for one in of_all]
    if len(set(lengths)) > 1:
        raise ValueError(
            f"All processes need equally long parts of the text, got {lengths} "
            f"positions: pad the text to a multiple of {world_size}."
        )
