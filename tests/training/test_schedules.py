import pytest
import torch
from torch import nn

from genai_tutorial.training import (
    EMA,
    AdamW,
    Checkpoint,
    Schedule,
    TensorBatches,
    fit,
    warmup_cosine,
    warmup_linear,
    warmup_stable_decay,
)


def test_warmup_linear_has_a_plateau_and_a_straight_fall():
    schedule = warmup_linear(steps=100, warmup_steps=4, decay_steps=40)
    assert [schedule(step) for step in range(5)] == pytest.approx(
        [0.25, 0.5, 0.75, 1.0, 1.0]
    )
    assert {schedule(step) for step in range(4, 61)} == {1.0}
    falls = [schedule(step) - schedule(step + 1) for step in range(60, 100)]
    assert falls == pytest.approx([1 / 40] * 40)
    assert schedule(100) == 0


@pytest.mark.parametrize("decay", ["linear", "cosine", "sqrt", "none"])
def test_schedule_cooldown_ends_at_zero(decay):
    whole = Schedule(steps=80, warmup_steps=5, decay=decay, final_factor=0.5)
    cooled = Schedule(
        steps=100, warmup_steps=5, decay=decay, final_factor=0.5, cooldown_steps=20
    )
    assert [cooled(step) for step in range(81)] == [whole(step) for step in range(81)]
    end = 1.0 if decay == "none" else 0.5
    assert [cooled(step) for step in (80, 85, 90, 99, 100, 500)] == pytest.approx(
        [end, end * 0.75, end * 0.5, end * 0.05, 0, 0]
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ((0,), "steps must be at least 1, got 0"),
        ((5, 6), "warmup_steps must be from 0 to 5, got 6"),
        ((5, -1), "warmup_steps must be from 0 to 5, got -1"),
        ((9, 4, "linear", 6), "decay_steps must be from 1 to 5, got 6"),
        ((5, 0, "linear", None, 1.5), "final_factor must be from 0 to 1, got 1.5"),
        ((5, 1, "linear", None, 0.0, 5), "cooldown_steps must be from 0 to 4, got 5"),
    ],
)
def test_schedule_refuses_settings_that_do_not_fit(settings, message):
    with pytest.raises(ValueError, match=message):
        Schedule(*settings)


def test_schedule_refuses_an_unknown_decay():
    # the shape checker speaks first where it is on
    with pytest.raises((ValueError, TypeError), match="square"):
        Schedule(steps=5, decay="square")


def test_warmup_stable_decay_plateau_does_not_depend_on_the_length():
    short, long = (
        warmup_stable_decay(steps, warmup_steps=5, decay_steps=steps // 5)
        for steps in (50, 100)
    )
    assert [short(step) for step in range(41)] == [long(step) for step in range(41)]
    assert {long(step) for step in range(5, 81)} == {1.0}
    assert [long(step) for step in (80, 85, 96, 100)] == pytest.approx(
        [1, 1 - 0.25**0.5, 1 - 0.8**0.5, 0]
    )
    cosines = [warmup_cosine(steps, 5) for steps in (50, 100)]
    assert cosines[0](20) < cosines[1](20) - 0.1, (
        "a cosine must know its end from the beginning"
    )


def walk(steps, seed=0):
    """Yield a model whose weights and buffers change at each step."""
    generator = torch.Generator().manual_seed(seed)
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    for _ in range(steps):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator))
            model[1].running_mean.copy_(torch.randn(2, generator=generator))
            model[1].num_batches_tracked += 1
        yield model


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.9, 0.999])
def test_ema_is_the_weighted_mean_of_all_steps(decay):
    average, places = None, []
    for model in walk(25):
        average = average or EMA(model, decay)
        average.update(model)
        places.append(
            [parameter.detach().double().clone() for parameter in model.parameters()]
        )
        factors = [decay ** (len(places) - 1 - step) for step in range(len(places))]
        for index, mean in enumerate(average.model.parameters()):
            expected = sum(
                f * place[index] for f, place in zip(factors, places, strict=True)
            ) / sum(factors)
            torch.testing.assert_close(mean.double(), expected, atol=1e-5, rtol=1e-5)


def test_ema_ignores_the_initial_weights():
    model = nn.Linear(2, 2)
    nn.init.constant_(model.weight, 1e6)
    average = EMA(model, decay=0.9)
    nn.init.constant_(model.weight, 2.0)
    average.update(model)
    assert torch.equal(average.model.weight, model.weight)


def test_ema_copies_buffers():
    for model in walk(3):
        average = EMA(model, 0.9)
        average.update(model)
        assert torch.equal(average.model[1].running_mean, model[1].running_mean)
        assert average.model[1].num_batches_tracked == model[1].num_batches_tracked


def test_ema_leaves_the_model_unchanged():
    model = nn.Linear(2, 2)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    average = EMA(model, 0.5)
    average.update(model)
    assert all(
        torch.equal(weight, before[name]) for name, weight in model.state_dict().items()
    )
    assert model.training
    assert not average.model.training
    assert not any(weight.requires_grad for weight in average.model.parameters())
    assert all(weight.requires_grad for weight in model.parameters())


def test_ema_refuses_bad_arguments():
    for decay in (-0.1, 1.0, float("nan")):
        with pytest.raises(ValueError, match="decay must be from 0 to below 1"):
            EMA(nn.Linear(1, 1), decay)
    with pytest.raises(ValueError, match=r"has the decay 0\.9, and the saved one 0\.5"):
        EMA(nn.Linear(1, 1), 0.9).load_state_dict(
            EMA(nn.Linear(1, 1), 0.5).state_dict()
        )


# --- In the loop ----------------------------------------------------------------------


def run(steps, path=None, decay=0.8, seen=None, stop=None):
    torch.manual_seed(0)
    model = nn.Linear(4, 1)
    average = None if decay is None else EMA(model, decay)
    x = torch.randn(30, 4)
    noise = torch.Generator().manual_seed(3)

    def loss(model, x):
        value = (
            (
                model(x + torch.randn(x.shape, generator=noise))
                - x.sum(dim=1, keepdim=True)
            )
            .square()
            .mean()
        )
        if seen is not None:
            seen.append(model.weight.detach().clone())
        if stop is not None and len(seen) > stop:
            raise KeyboardInterrupt
        return value

    history = fit(
        model,
        TensorBatches((x,), batch_size=7, seed=1),
        loss,
        AdamW(model.parameters(), lr=0.05),
        steps=steps,
        evaluate=lambda judged: float(judged.weight.detach().sum()),
        ema=average,
        checkpoint=None if path is None else Checkpoint(path, every=2),
        generators=[noise],
        progress=False,
    )
    return model, average, history


def test_fit_updates_and_evaluates_the_ema():
    seen = []
    model, average, history = run(9, seen=seen)
    after = [*seen[1:], model.weight.detach()]
    factors = [0.8 ** (8 - step) for step in range(9)]
    expected = sum(f * weight for f, weight in zip(factors, after, strict=True)) / sum(
        factors
    )
    torch.testing.assert_close(average.model.weight, expected)
    assert history.evaluations[-1].value == pytest.approx(
        float(expected.sum()), abs=1e-5
    )
    assert history.evaluations[-1].value != pytest.approx(
        float(model.weight.detach().sum()), abs=1e-5
    )
    assert model.training
    # an average does not change the model
    assert torch.equal(run(9, decay=None)[0].weight, model.weight)


def test_ema_of_a_resumed_run_is_the_same(tmp_path):
    whole = run(9)
    with pytest.raises(KeyboardInterrupt):
        run(9, tmp_path / "run.safetensors", seen=[], stop=5)
    resumed = run(9, tmp_path / "run.safetensors")
    assert torch.equal(resumed[1].model.weight, whole[1].model.weight)
    assert torch.equal(resumed[0].weight, whole[0].weight)
    assert resumed[2].losses == whole[2].losses


def test_ema_with_another_decay_is_not_resumed(tmp_path):
    run(2, tmp_path / "with.safetensors")
    run(2, tmp_path / "without.safetensors", decay=None)
    with pytest.raises(ValueError, match="has an average, and this run needs none"):
        run(4, tmp_path / "with.safetensors", decay=None)
    with pytest.raises(
        ValueError,
        match="has no average, and this run needs one",
    ):
        run(4, tmp_path / "without.safetensors")
    with pytest.raises(ValueError, match=r"has the decay 0\.5, and the saved one 0\.8"):
        run(4, tmp_path / "with.safetensors", decay=0.5)
