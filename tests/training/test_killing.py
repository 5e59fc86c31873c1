"""A run that is killed many times at random moments and resumed ends with the same
bits.
"""

import contextlib
import random
import time

import pytest
import torch

from genai_tutorial.training import load_checkpoint
from tests.training import processes, runs

KILLS = 10


@pytest.mark.slow
def test_checkpoint_survives_ten_kills_at_random_moments(tmp_path):
    model, history = runs.run()
    moments, kills, finished, steps_at_kills = random.Random(0), 0, 0, set()
    while kills < KILLS or finished == 0:
        path = tmp_path / f"{finished}.safetensors"
        while not path.with_suffix(".result").exists():
            steps, sender = processes.CONTEXT.Pipe(duplex=False)
            process = processes.start_alone(processes.train_alone, path, sender)
            sender.close()
            if (
                kills < KILLS
                # some steps later, and then at any moment: in a step, or while a file
                # is written
            ):
                with contextlib.suppress(EOFError):  # the run was nearly done
                    for _ in range(moments.randint(1, 6)):
                        steps.recv()
                time.sleep(moments.uniform(0, 0.02))
                process.kill()
            process.join()
            if process.exitcode == -9:
                kills += 1
                steps_at_kills.add(
                    load_checkpoint(path)["step"] if path.exists() else 0
                )
        finished += 1
        result = torch.load(path.with_suffix(".result"))
        assert result["losses"] == history.losses
        assert all(map(torch.equal, result["weights"], model.parameters()))
        assert load_checkpoint(path)["step"] == runs.STEPS
    assert len(steps_at_kills) > 3, "the kills should fall into different steps"
