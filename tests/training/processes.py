"""Runs on several processes, which the tests start and kill; a server that has already
imported torch forks them quickly.
"""

import multiprocessing
import os
import socket
import time
import traceback
from pathlib import Path

import torch

from genai_tutorial.runtime import write_atomically
from genai_tutorial.training import (
    Checkpoint,
    build_optimizer,
    fit,
    parallel,
    process_group,
    ring_attention,
    shard,
    unwrap,
    warmup_stable_decay,
)
from genai_tutorial.transformer import next_token_loss
from tests.training import runs

STEPS = 12

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.training.processes", "torch.distributed.fsdp"])


def start_alone(target, *arguments):
    """Start `target(*arguments)` in one process, and return it."""
    process = CONTEXT.Process(target=target, args=arguments)
    process.start()
    return process


def start(world_size, target, *arguments):
    """Start `target(*arguments)` in several connected processes, and return them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes = [
        CONTEXT.Process(
            target=_joined, args=(rank, world_size, port, target, arguments)
        )
        for rank in range(world_size)
    ]
    for process in processes:
        process.start()
    return processes


def finish(processes):
    """Wait for processes, and return their exit codes."""
    for process in processes:
        process.join(timeout=60)
    codes = [process.exitcode for process in processes]
    for process in processes:
        process.kill()
    return codes


def _joined(rank, world_size, port, target, arguments):
    torch.set_num_threads(1)
    names = {
        "RANK": rank,
        "LOCAL_RANK": rank,
        "WORLD_SIZE": world_size,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
    }
    os.environ.update({name: str(value) for name, value in names.items()})
    try:
        target(*arguments)
    except BaseException:
        Path(arguments[0], f"error-{rank}.txt").write_text(traceback.format_exc())
        raise


def train(folder, name, *settings):
    """Train on all processes, and write losses and weights to `folder/name-RANK.pt`."""
    with process_group(torch.device("cpu")) as process:
        _train(process, folder, name, *settings)


def train_ways(folder, ways):
    """Train several times, one after the other."""
    with process_group(torch.device("cpu")) as process:
        for way in ways:
            _train(process, folder, *way)


def attend_in_a_ring(folder, inputs, lengths, is_causal):
    """Split queries, keys and values over all processes by `lengths`, and write each
    one's output to `folder/ring-RANK.pt`.
    """
    with process_group(torch.device("cpu")) as process:
        parts = [one.split(lengths, dim=-2)[process.rank] for one in inputs]
        mixed = ring_attention(*parts, is_causal)
        torch.save(mixed, Path(folder, f"ring-{process.rank}.pt"))


def _train(
    process,
    folder,
    name,
    how="copy",
    every=None,
    seconds_per_step=0.0,
):
    model, batches, _ = runs.make(
        dropout=False, rank=process.rank, world_size=process.world_size
    )
    model = {
        "shard": lambda: shard(model, model.blocks),
        "copy": lambda: parallel(model),
    }[how]()
    mine = sum(
        getattr(p, "to_local", lambda p=p: p)().numel() for p in model.parameters()
    )

    def loss_fn(model, inputs, targets):
        time.sleep(seconds_per_step)
        return next_token_loss(model(inputs), targets)

    history = fit(
        model,
        batches,
        loss_fn,
        build_optimizer(unwrap(model)),
        steps=STEPS,
        schedule=warmup_stable_decay(STEPS, 3, 4),
        clip_norm=0.05,
        checkpoint=every and Checkpoint(Path(folder, "run.safetensors"), every),
        progress=False,
    )
    weights = [
        getattr(p, "full_tensor", lambda p=p: p)().detach().clone()
        for p in unwrap(model).parameters()
    ]
    result = {"losses": history.losses, "weights": weights, "mine": mine}
    torch.save(result, Path(folder, f"{name}-{process.rank}.pt"))


def train_alone(path, steps):
    """Run `runs` with a save after every second step, report each step, and write the
    result.
    """
    torch.set_num_threads(1)
    model, history = runs.run(path, every=2, on_step=lambda: steps.send(True))
    result = {
        "losses": history.losses,
        "weights": [parameter.detach() for parameter in model.parameters()],
    }
    # Atomic, because a kill may come here too.
    with write_atomically(path.with_suffix(".result")) as file:
        torch.save(result, file)


def train_until_lost(folder, every):
    """Train under torchrun, and kill the second process of the first start in the
    middle of the run.
    """
    if os.environ["RANK"] == "1" and os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
        steps = iter(range(8))
        loss = next_token_loss

        def dies(logits, targets):
            if next(steps, None) is None:
                os.kill(os.getpid(), 9)
            return loss(logits, targets)

        globals()["next_token_loss"] = dies
    train(folder, "restarted", "copy", every)


if __name__ == "__main__":
    import sys

    torch.set_num_threads(1)
    train_until_lost(sys.argv[1], every=3)
