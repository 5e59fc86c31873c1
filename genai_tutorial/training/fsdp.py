"""Fully sharded data parallelism: each process stores and saves a part of the model.

The weights, their gradients and the optimizer's state are split over all processes, so
that the model can be larger than the memory of one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import distributed, nn

from .distributed import several_processes
from .history import History
from .optimizers import CombinedOptimizer
from .run_state import Checkpoint, RunState, check_batches
from .sharded_checkpoint import latest_step, load_sharded, save_sharded


def shard(model: nn.Module, parts: Iterable[nn.Module] = ()) -> nn.Module:
    """Shard a model's weights, gradients and optimizer states over all processes.

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
        check_batches(run.batches)

    def exists(self) -> bool:
        """Return whether there is a checkpoint to resume from."""
        return latest_step(self.path) is not None

    def save(self, state: dict[str, Any]) -> None:
        """Write a run's state; called by all processes together."""
        save_sharded(self.path, state)

    def load(self, run: RunState) -> dict[str, Any]:
        """Return the saved state, split like the run's model."""
        start_optimizer(run.optimizer)
        return load_sharded(self.path, run.state_dict(History()))


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
