"""Sharded models: the same run on one, two and four processes, saved by some and
resumed by others, with and without kills.
"""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.training import processes

STEPS = processes.STEPS


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone")
    processes.train(folder, "alone")
    return torch.load(folder / "alone-0.pt")


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """An uninterrupted run on two processes."""
    folder = tmp_path_factory.mktemp("two")
    assert processes.finish(processes.start(2, processes.train, folder, "two")) == [
        0,
        0,
    ]
    return torch.load(folder / "two-0.pt")


def _equal(a, b):
    return a["losses"] == b["losses"] and all(
        map(torch.equal, a["weights"], b["weights"])
    )


@pytest.mark.slow
@pytest.mark.parametrize("world_size", [2, 4])
def test_sharded_and_parallel_training_equal_one_process(tmp_path, alone, world_size):
    ways = [("shard", "shard"), ("copy", "copy")]
    started = processes.start(world_size, processes.train_ways, tmp_path, ways)
    assert processes.finish(started) == [0] * world_size
    for name, _ in ways:
        of_each = [
            torch.load(tmp_path / f"{name}-{rank}.pt") for rank in range(world_size)
        ]
        for result in of_each:
            assert result["losses"] == pytest.approx(alone["losses"], abs=1e-5)
            assert _equal(result, of_each[0]), "all processes see the same"
        for ours, theirs in zip(of_each[0]["weights"], alone["weights"], strict=True):
            torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)
        held = [result["mine"] for result in of_each]
        if name == "copy":
            assert held == [alone["mine"]] * world_size
        else:
            assert sum(held) == alone["mine"]
            assert max(held) < 1.1 * alone["mine"] / world_size
    assert alone["losses"][-1] < alone["losses"][0] - 0.01


@pytest.mark.slow
def test_sharded_checkpoint_resumes_with_other_numbers_of_processes(
    tmp_path, alone, two
):
    assert processes.finish(
        processes.start(2, processes.train, tmp_path, "first", "shard", 6, 3)
    ) == [0, 0]
    assert [path.name for path in (tmp_path / "checkpoint").iterdir()] == [
        "step-000000006"
    ]
    files = {
        path.suffix for path in (tmp_path / "checkpoint" / "step-000000006").iterdir()
    }
    assert files == {".safetensors", ".json"}, "nothing that needs unpickling"
    for world_size in (1, 2, 4):
        folder = tmp_path / str(world_size)
        (folder / "checkpoint").mkdir(parents=True)
        subprocess.run(
            [
                "cp",
                "-r",
                tmp_path / "checkpoint" / "step-000000006",
                folder / "checkpoint",
            ],
            check=True,
        )
        if world_size == 1:
            processes.train(folder, "rest", "shard", STEPS, 3)
        else:
            started = processes.start(
                world_size, processes.train, folder, "rest", "shard", STEPS, 3
            )
            assert processes.finish(started) == [0] * world_size
        rest = torch.load(folder / "rest-0.pt")
        assert rest["losses"] == pytest.approx(alone["losses"], abs=1e-5)
        assert _equal(rest, two) == (world_size == 2)
        (left,) = (folder / "checkpoint").iterdir()
        assert left.name == f"step-{STEPS:09d}"


@pytest.mark.slow
def test_sharded_run_detects_a_killed_process(tmp_path, two):
    """A run whose processes are killed at random moments, again and again, still ends
    with the same bits.
    """
    moments, kills = random.Random(0), 0
    while kills < 5:
        folder = tmp_path / str(kills)
        folder.mkdir()
        while not (folder / "run-0.pt").exists():
            for error in folder.glob("error-*.txt"):
                error.unlink()
            started = processes.start(
                2, processes.train, folder, "run", "shard", STEPS, 1, 0.02
            )
            victim, survivor = moments.sample([0, 1], 2)
            if kills < 5:
                started[victim].join(timeout=moments.uniform(0.2, 1.2))
                started[victim].kill()
            codes = processes.finish(started)
            if codes[victim] == -9 and codes[survivor] == 1:
                kills += 1
                told = (folder / f"error-{survivor}.txt").read_text()
                assert "ConnectionError" in told, told
                assert (
                    "resumes from the last checkpoint" in told or "connect" in told
                ), told
        assert _equal(torch.load(folder / "run-0.pt"), two)


@pytest.mark.slow
def test_torchrun_restarts_after_a_kill(tmp_path, two):
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone",
        "--nproc-per-node=2", "--max-restarts=1",
        "-m", "tests.training.processes", str(tmp_path),
    ]  # fmt: skip
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",
    }
    done = subprocess.run(
        command,
        cwd=Path(__file__).parents[2],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "exitcode: -9" in done.stderr, "the kill should be in torchrun's report"
    assert _equal(torch.load(tmp_path / "restarted-0.pt"), two)
