import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from genai_tutorial.training import parallel, process_group, unwrap
from genai_tutorial.training.distributed import is_first_process
from tests.training import runs

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
