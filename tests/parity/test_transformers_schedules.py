"""Schedules against transformers' own, factor for factor."""

import pytest
import torch
from transformers import get_cosine_schedule_with_warmup, get_wsd_schedule

from genai_tutorial.training import Schedule, warmup_cosine


def _factors(make, steps):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = make(optimizer)
    factors = []
    for _ in range(steps):
        factors.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return factors


WARMUP, STEPS = 7, 60


@pytest.mark.parametrize(
    ("ours", "theirs"), [("sqrt", "1-sqrt"), ("linear", "linear"), ("cosine", "cosine")]
)
@pytest.mark.parametrize("final_factor", [0.0, 0.1])
def test_warmup_stable_decay_equals_transformers(ours, theirs, final_factor):
    schedule = Schedule(STEPS, WARMUP, ours, 20, final_factor)
    expected = _factors(
        lambda optimizer: get_wsd_schedule(
            optimizer, WARMUP, 20, num_training_steps=STEPS, decay_type=theirs,
            min_lr_ratio=final_factor,
        ),
        STEPS,
    )  # fmt: skip
    # Theirs begins at the lowest factor, ours a step above zero so that the first step
    # counts: the rises differ.
    assert [schedule(step) for step in range(WARMUP, STEPS)] == pytest.approx(
        expected[WARMUP:], abs=1e-7
    )


def test_warmup_cosine_equals_transformers():
    expected = _factors(
        lambda optimizer: get_cosine_schedule_with_warmup(optimizer, WARMUP, STEPS),
        STEPS,
    )
    schedule = warmup_cosine(STEPS, WARMUP)
    assert [schedule(step) for step in range(WARMUP, STEPS)] == pytest.approx(
        expected[WARMUP:], abs=1e-7
    )
    assert [schedule(step) for step in range(WARMUP - 1)] == pytest.approx(
        expected[1:WARMUP]
    )
