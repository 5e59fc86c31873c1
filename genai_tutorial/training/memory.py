"""Training what does not fit into memory: bfloat16, recomputed activations, and models
that are split over several processes.

With fully sharded data parallelism (FSDP), the weights, their gradients and the
optimizer's state are split over all processes, so that the model can be larger than the
memory of one. Each process writes its part of a checkpoint, and any number of processes
can read them. Such a checkpoint is a folder of safetensors files and one JSON file.
Like the single file, it contains no code. (The default format of
`torch.distributed.checkpoint` contains a pickle; its safetensors format does not.)
"""

import json
import os
import re
import shutil
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, distributed, nn
from torch.utils.checkpoint import checkpoint

from .checkpoint import BROKEN, Checkpoint, RunState, check_batches, pack, unpack
from .distributed import is_first_process, several_processes
from .optimizers import CombinedOptimizer


def in_bfloat16(loss_fn: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return a loss function whose matrix products are computed in bfloat16 (autocast).

    bfloat16 has the range of float32 and about three digits. The parameters, and so
    their gradients and the optimizer's state, stay in float32.
    """

    def loss_in_bfloat16(model: nn.Module, *batch: Tensor) -> Tensor:
        with torch.autocast(batch[0].device.type, torch.bfloat16):
            return loss_fn(model, *batch)

    return loss_in_bfloat16


def recompute(blocks: Iterable[nn.Module]) -> None:
    """Make each block store only its inputs for the backward pass, and compute its
    activations again when they are needed (activation checkpointing).

    Training stores the activations of every layer, so memory grows with batch size,
    sequence length and depth. This costs about a third more arithmetic and leaves the
    activations of one block at a time. Losses and gradients stay the same to the last
    bit; dropout draws the same numbers in both passes.

    Args:
        blocks: The layers, for example `model.blocks` of a `DecoderLM`; they are
            changed in place.

    Source: Chen et al., Training Deep Nets with Sublinear Memory Cost,
    https://arxiv.org/abs/1604.06174

    >>> block = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 8))
    >>> x = torch.ones(100, 8)
    >>> before = kept_bytes(lambda: block(x).sum())
    >>> recompute([block])
    >>> before, kept_bytes(lambda: block(x).sum())
    (17024, 3200)
    """
    for block in blocks:
        block.forward = partial(checkpoint, block.forward, use_reentrant=False)


def kept_bytes(loss: Callable[[], Tensor]) -> int:
    """Return the number of bytes that autograd stores for the backward pass while
    `loss` is computed.

    Tensors that share memory count once; weights count too.
    """
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss()
    return sum(kept.values())


def shard(model: nn.Module, parts: Iterable[nn.Module] = ()) -> nn.Module:
    """Shard a model's weights, gradients and optimizer states over all processes.

    Each process keeps its shard of every tensor. A part is gathered when the forward or
    backward pass needs it, and freed afterwards; gradients are averaged as with
    `parallel`. With a single process, the model is unchanged.

    Args:
        model: The model; it is changed in place and returned. Build the optimizer
            afterwards.
        parts: Modules whose weights are gathered together, usually the model's blocks.
            All other weights are gathered at the start and kept.

    Source: Zhao et al., PyTorch FSDP, https://arxiv.org/abs/2304.11277; here by
        `torch.distributed.fsdp.fully_shard`
    """
    if several_processes():
        # these take a second to import
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        device = next(model.parameters()).device
        mesh = init_device_mesh(device.type, (distributed.get_world_size(),))
        for part in parts:
            fully_shard(part, mesh=mesh)
        fully_shard(model, mesh=mesh)
    return model


@dataclass(frozen=True)
class ShardedCheckpoint(Checkpoint):
    """A checkpoint of a model that `shard` has split: a folder into which each process
    writes its part.
    """

    def check(self, run: RunState) -> None:
        """Raise an error if a run cannot be saved."""
        check_batches(run)

    def exists(self) -> bool:
        """Return whether there is a checkpoint to resume from."""
        return bool(_complete(self.path))

    def save(self, state: dict[str, Any]) -> None:
        """Write a run's state; called by all processes together."""
        save_sharded(self.path, state)

    def load(self, run: RunState) -> dict[str, Any]:
        """Return the saved state, split like the run's model."""
        start_optimizer(run.parts["optimizer"])
        return load_sharded(self.path, run.state_dict())


@torch.no_grad()
def start_optimizer(optimizer: torch.optim.Optimizer | CombinedOptimizer) -> None:
    """Initialize the state of a new optimizer by a step with a learning rate of zero,
    so that a saved state can be loaded into it.
    """
    rates = [group["lr"] for group in optimizer.param_groups]
    for group in optimizer.param_groups:
        group["lr"] = 0.0
        for parameter in group["params"]:
            parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    optimizer.zero_grad()
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate


FORMAT = "genai_tutorial sharded checkpoint 1"
STATE = "state.json"
NAME = r"step-(\d+)(?:-(\d+))?"


def save_sharded(folder: Path | str, state: dict[str, Any]) -> None:
    """Write a run's state into `folder/step-N`, or beside it if that is there already;
    all processes call this together.
    """
    from torch.distributed import checkpoint as dcp

    folder = Path(folder)
    tree, tensors = pack(state, _itself)
    name = f"step-{state['step']:09d}"
    temporary = folder / f"{name}.tmp"
    if is_first_process():
        # left by a run that was killed while saving
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
    _wait_for_all()
    writer = dcp.HuggingFaceStorageWriter(str(temporary), save_distributed=True)
    try:
        with _quiet_alone():
            dcp.save(tensors, storage_writer=writer)
    except dcp.CheckpointException as error:  # no Exception: nothing else catches it
        raise OSError(f"Cannot write {temporary}: {error}") from error
    if is_first_process():
        with open(temporary / STATE, "w", encoding="utf-8") as file:
            json.dump({"format": FORMAT, "tree": tree}, file)
            file.flush()
            os.fsync(file.fileno())
        earlier = _complete(folder)
        same = [number for step, number in map(_key, earlier) if step == state["step"]]
        complete = folder / (f"{name}-{max(same) + 1}" if same else name)
        os.replace(temporary, complete)
        for path in earlier:
            shutil.rmtree(path)
    _wait_for_all()


def load_sharded(folder: Path | str, state: dict[str, Any]) -> dict[str, Any]:
    """Read the newest step of a folder; all processes call this together, however many
    there are now.
    """
    from torch.distributed import checkpoint as dcp

    steps = _complete(Path(folder))
    if not steps:
        raise FileNotFoundError(f"There is no checkpoint in {folder}.")
    path = steps[-1]
    _, tensors = pack(state, _itself)
    damaged = (
        f"{path} is damaged: delete it and train again, or restore it from a copy."
    )
    try:
        content = json.loads((path / STATE).read_text(encoding="utf-8"))
        file_format = content.get("format")
        reader = dcp.HuggingFaceStorageReader(str(path))
        saved = reader.read_metadata().state_dict_metadata
    except (*BROKEN, OSError, SafetensorError) as error:
        raise ValueError(damaged) from error
    if file_format != FORMAT:
        raise ValueError(
            f"{path} is not a sharded checkpoint of this package (format "
            f"{file_format!r})."
        )
    if different := saved.keys() ^ tensors.keys():
        raise ValueError(
            f"{path} is from another run: only one of the two has "
            f"{sorted(different)[0]!r}."
        )
    for name, tensor in tensors.items():
        if saved[name].size != tensor.shape:
            raise ValueError(
                f"{path} is from another run: {name!r} has the shape "
                f"{tuple(saved[name].size)} there, and "
                f"{tuple(tensor.shape)} here."
            )
    try:
        with _quiet_alone():
            dcp.load(tensors, storage_reader=reader)
        return unpack(content["tree"], tensors)
    except (*BROKEN, OSError, dcp.CheckpointException) as error:
        raise ValueError(damaged) from error


def _complete(folder: Path) -> list[Path]:
    """Return the folders of complete checkpoints, the latest one last."""
    return sorted(
        (path for path in folder.glob("step-*") if re.fullmatch(NAME, path.name)),
        key=_key,
    )


def _key(path: Path) -> tuple[int, int]:
    """Return the step of a folder's name, and its number among those of the step."""
    step, number = re.fullmatch(NAME, path.name).groups()
    return int(step), int(number or 0)


def _itself(tensor: Tensor) -> Tensor:
    return tensor


@contextmanager
def _quiet_alone() -> Iterator[None]:
    """Silence torch's warning that there is only one process."""
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "torch.distributed is disabled, unavailable or uninitialized"
        )
        yield


def _wait_for_all() -> None:
    if distributed.is_initialized():
        distributed.barrier()
