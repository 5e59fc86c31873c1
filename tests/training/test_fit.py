import json
import math

import pytest
import torch
from torch import nn

from genai_tutorial.runtime import progress_bar
from genai_tutorial.training import (
    Checkpoint,
    History,
    build_optimizer,
    fit,
    train_step,
    warmup_cosine,
    warmup_linear,
)
from genai_tutorial.transformer import next_token_loss
from tests.training import runs


def line_loss(model, x, y):
    return (model(x) - y).square().mean()


def line(count):
    generator = torch.Generator().manual_seed(0)
    for _ in range(count):
        x = torch.randn(16, 1, generator=generator)
        yield x, 3 * x + 1


def linear():
    model = nn.Linear(1, 1)
    return model, torch.optim.SGD(model.parameters(), lr=0.1)


def test_fit_equals_the_loop_by_hand():
    torch.manual_seed(0)
    model, optimizer = linear()
    weight, bias = model.weight.item(), model.bias.item()
    losses = []
    schedule = warmup_cosine(10, 3)
    for step, (x, y) in enumerate(line(10)):
        error = weight * x + bias - y
        losses.append(error.square().mean().item())
        slopes = (2 * (error * x).mean().item(), 2 * error.mean().item())
        shrink = min(1.0, 0.5 / math.hypot(*slopes))
        weight -= 0.1 * schedule(step) * shrink * slopes[0]
        bias -= 0.1 * schedule(step) * shrink * slopes[1]
    history = fit(
        model,
        line(10),
        line_loss,
        optimizer,
        steps=10,
        schedule=schedule,
        clip_norm=0.5,
        progress=False,
    )
    assert history.losses == pytest.approx(losses, rel=1e-4)
    assert (model.weight.item(), model.bias.item()) == pytest.approx(
        (weight, bias), rel=1e-5
    )


def test_fit_evaluates_in_evaluation_mode_without_gradients():
    model, optimizer = linear()
    seen = []

    def evaluate(model):
        seen.append((model.training, torch.is_grad_enabled()))
        return len(seen)

    history = fit(
        model,
        line(7),
        line_loss,
        optimizer,
        steps=7,
        evaluate=evaluate,
        evaluate_every=3,
        progress=False,
    )
    assert [(point.step, point.value) for point in history.evaluations] == [
        (3, 1.0),
        (6, 2.0),
        (7, 3.0),
    ]
    assert set(seen) == {(False, False)}
    assert model.training
    assert history.best.step == 3


def test_fit_stops_at_a_nan_loss_before_the_update():
    model, optimizer = linear()
    before = model.weight.item()

    def loss_fn(model, x, y):
        return line_loss(model, x, y) * math.nan

    with pytest.raises(
        FloatingPointError,
        match=r"Step 1 of 5: The loss is nan: the run has diverged\. Lower the",
    ):
        fit(model, line(5), loss_fn, optimizer, steps=5, progress=False)
    assert model.weight.item() == before


def test_fit_explains_when_batches_run_out():
    model, optimizer = linear()
    with pytest.raises(ValueError, match="ran out after 3 steps of 5"):
        fit(model, line(3), line_loss, optimizer, steps=5, progress=False)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "at least one step, got 0"),
        ({"steps": 2, "evaluate_every": 0}, "evaluate_every must be at least 1"),
        ({"steps": 2, "clip_norm": 0.0}, "max_norm must be above 0"),
        (
            {"steps": 2, "checkpoint": "here"},
            "give them state_dict and load_state_dict",
        ),
    ],
)
def test_fit_refuses_bad_settings(settings, message, tmp_path):
    if "checkpoint" in settings:
        settings = settings | {"checkpoint": Checkpoint(tmp_path / "run.safetensors")}
    model, optimizer = linear()
    with pytest.raises(ValueError, match=message):
        fit(model, line(5), line_loss, optimizer, progress=False, **settings)


def _resume_with(path, **changes):
    model, batches, noise = runs.make()
    settings = {"steps": 6, "schedule": warmup_cosine(runs.STEPS, 4)} | changes
    model = settings.pop("model", model)
    optimizer = settings.pop("optimizer_of", build_optimizer)(model)
    fit(
        model, batches, lambda model, x, y: model(x).mean(), optimizer,
        checkpoint=Checkpoint(path), generators=[noise],
        progress=False, **settings,
    )  # fmt: skip


def test_fit_refuses_the_checkpoint_of_another_run(tmp_path):
    path = tmp_path / "run.safetensors"
    runs.run(path, steps=3)
    with pytest.raises(ValueError, match="from a run with the schedule"):
        _resume_with(path, schedule=warmup_linear(runs.STEPS, 4))
    with pytest.raises(ValueError, match="from another model or optimizer"):
        _resume_with(path, model=nn.Linear(2, 2))
    with pytest.raises(ValueError, match="from another model or optimizer"):
        _resume_with(
            path, optimizer_of=lambda model: torch.optim.SGD(model.parameters(), lr=0.1)
        )


def test_fit_does_not_continue_a_finished_run(tmp_path):
    path = tmp_path / "run.safetensors"
    model, history = runs.run(path)
    again, same = runs.run(path)
    assert runs.fingerprint(again) == runs.fingerprint(model)
    assert same.losses == history.losses


def test_history_round_trip_through_json():
    _, history = runs.run(steps=7)
    assert History.from_dict(json.loads(json.dumps(history.to_dict()))) == history


def test_history_without_evaluations_has_no_best():
    with pytest.raises(ValueError, match="no evaluations"):
        _ = History().best


def test_progress_bar_can_be_switched_off(monkeypatch, capsys):
    monkeypatch.setenv("GENAI_TUTORIAL_QUIET", "1")
    assert list(progress_bar(range(3))) == [0, 1, 2]
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("GENAI_TUTORIAL_QUIET", "0")
    assert list(progress_bar(range(3), label="counting")) == [0, 1, 2]
    assert "counting: 100%" in capsys.readouterr().err


def test_fit_moves_batches_to_the_device():
    # The meta device stands in for a GPU: mixing it with the CPU is an error.
    model = nn.Linear(1, 1, device="meta")
    devices = []

    def loss_fn(model, x, y):
        devices.extend([x.device.type, y.device.type])
        raise InterruptedError

    with pytest.raises(InterruptedError):
        fit(
            model,
            line(1),
            loss_fn,
            torch.optim.SGD(model.parameters()),
            steps=1,
            progress=False,
        )
    assert devices == ["meta", "meta"]


def _loss(model, inputs, targets):
    return next_token_loss(model(inputs), targets)


def test_train_step_clears_the_previous_gradients():
    """A step after a stray backward pass equals a step without it, to the last bit."""
    prints = []
    for stray in (False, True):
        model, batches, _ = runs.make(dropout=False)
        optimizer, batch = build_optimizer(model), next(batches)
        if stray:
            _loss(model, *next(batches)).backward()
        train_step(model, batch, _loss, optimizer)
        prints.append(runs.fingerprint(model))
    assert prints[0] == prints[1]


def test_clip_gradients_ignores_frozen_parameters():
    """A gradient that a parameter had before it was frozen does not count."""
    model = nn.Linear(1, 1)
    model.bias.grad = torch.tensor([100.0])
    model.bias.requires_grad_(False)
    optimizer = torch.optim.SGD([model.weight], lr=1.0)
    before = model.weight.item()
    train_step(model, (torch.ones(1, 1),), lambda model, x: model(x).sum(), optimizer)
    assert before - model.weight.item() == pytest.approx(1, abs=1e-5)
