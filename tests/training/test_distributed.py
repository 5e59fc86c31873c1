"""The same run on one, two and four processes, with copies or with parts of the model,
and with kills.
"""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from genai_tutorial.training import parallel, process_group, ring_attention, unwrap
from genai_tutorial.training.distributed import is_first_process
from genai_tutorial.transformer import attention, blockwise_attention, causal_mask
from tests.training import processes


def _equal(a, b):
    return a["losses"] == b["losses"] and all(
        map(torch.equal, a["weights"], b["weights"])
    )


@pytest.mark.slow
@pytest.mark.parametrize("world_size", [2, 4])
def test_sharded_and_parallel_training_equal_one_process(tmp_path, world_size):
    processes.train(tmp_path, "alone")
    alone = torch.load(tmp_path / "alone-0.pt")
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


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """An uninterrupted run on two processes."""
    folder = tmp_path_factory.mktemp("two")
    started = processes.start(2, processes.train, folder, "two")
    assert processes.finish(started) == [0, 0]
    return torch.load(folder / "two-0.pt")


@pytest.mark.slow
def test_run_detects_a_killed_process_and_resumes(tmp_path, two):
    """A run whose processes are killed at random moments, again and again, still ends
    with the same bits.
    """
    moments, kills, runs = random.Random(0), 0, 0
    while kills < 2:
        folder = tmp_path / str(runs)
        folder.mkdir()
        runs += 1  # a run may end before its kill: the next one is another run
        while not (folder / "run-0.pt").exists():
            for error in folder.glob("error-*.txt"):
                error.unlink()
            started = processes.start(
                2, processes.train, folder, "run", "copy", 1, 0.02
            )
            victim, survivor = moments.sample([0, 1], 2)
            if kills < 2:
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


def test_process_group_of_a_single_process():
    model = torch.nn.Linear(2, 2)
    with process_group(torch.device("cpu")) as process:
        assert (process.rank, process.world_size, process.is_first) == (0, 1, True)
        assert parallel(model) is model
        assert unwrap(model) is model
        assert is_first_process()


LENGTH = 24


def draw(heads, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, heads, LENGTH, 8, generator=generator)


@pytest.fixture(scope="module")
def inputs():
    return draw(4, 0), draw(2, 1), draw(2, 2)


def in_a_ring(folder, inputs, lengths, is_causal=False):
    started = processes.start(
        len(lengths),
        processes.attend_in_a_ring,
        folder,
        inputs,
        lengths,
        is_causal,
    )
    codes = processes.finish(started)
    assert codes == [0] * len(lengths), [
        path.read_text() for path in folder.glob("error-*.txt")
    ]
    return torch.cat(
        [torch.load(folder / f"ring-{rank}.pt") for rank in range(len(lengths))], dim=-2
    )


@pytest.mark.slow
@pytest.mark.parametrize(("world_size", "is_causal"), [(2, True), (3, False)])
def test_ring_attention_equals_attention(tmp_path, inputs, world_size, is_causal):
    lengths = [LENGTH // world_size] * world_size
    mixed = in_a_ring(tmp_path, inputs, lengths, is_causal)
    mask = causal_mask(LENGTH) if is_causal else None
    torch.testing.assert_close(mixed, attention(*inputs, mask), atol=1e-6, rtol=1e-5)


@pytest.mark.slow
def test_ring_attention_refuses_unequal_parts(tmp_path, inputs):
    started = processes.start(
        2, processes.attend_in_a_ring, tmp_path, inputs, [10, 14], False
    )
    assert 0 not in processes.finish(started)
    messages = [path.read_text() for path in tmp_path.glob("error-*.txt")]
    assert all("got [10, 14] positions: pad the text" in one for one in messages)


def test_ring_attention_of_one_process_is_plain_attention(inputs):
    torch.testing.assert_close(
        ring_attention(*inputs, is_causal=True),
        blockwise_attention(*inputs, LENGTH, is_causal=True),
        atol=0,
        rtol=0,
    )
