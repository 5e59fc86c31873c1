import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from genai_tutorial.training import parallel, process_group, ring_attention, unwrap
from genai_tutorial.training.distributed import is_first_process
from genai_tutorial.transformer import attention, blockwise_attention, causal_mask
from tests.training import processes, runs

STEPS = 12


def _torchrun(processes):
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone",
        f"--nproc-per-node={processes}",
        "-m", "tests.training.runs", "shared", str(STEPS),
    ]  # fmt: skip
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command,
        cwd=Path(__file__).parents[2],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    losses = [
        [float(loss) for loss in line[1:]] for line in lines if line[0] == "losses"
    ]
    weights = [line[1] for line in lines if line[0] == "weights"]
    assert len(losses) == 1, "only the first process prints"
    assert len(weights) == processes
    return losses[0], weights


@pytest.mark.slow
def test_data_parallel_losses_equal_those_of_one_process():
    alone = runs.run_shared(STEPS)
    losses, weights = _torchrun(2)
    assert losses == pytest.approx(alone, abs=1e-6)
    assert weights[0] == weights[1], (
        "the copies of the model must stay equal to the last bit"
    )
    # something was learned, so the steps were not empty
    assert alone[-1] < alone[0] - 0.01


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
