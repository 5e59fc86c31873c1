"""The world model and its training."""

import pytest
import torch

from genai_tutorial.tasks.paddle_game import PaddleWorld, RandomPlayer
from genai_tutorial.training import Checkpoint, parameter_groups
from genai_tutorial.worldmodels import (
    Recording,
    Windows,
    WorldModel,
    WorldModelConfig,
    WorldModelTraining,
    learning,
    record_games,
    straight_through_sample,
    train_world_model,
    world_model_loss,
)
from genai_tutorial.worldmodels.model import (
    mix_uniform,
    one_hot_sample,
)

TINY = WorldModelConfig(groups=3, codes=4, hidden=16, memory=12)


@pytest.fixture(scope="module")
def recording() -> Recording:
    return record_games(PaddleWorld(16), RandomPlayer(0, 0.7), 60)


def test_world_model_matrices_are_trained_by_muon():
    """Including those of the recurrent unit; the output layers are heads."""
    model = WorldModel(TINY)
    groups = parameter_groups(model)
    matrices = {id(weight) for weight in groups["matrices"]}
    recurrent = (model.recurrent.from_input, model.recurrent.from_memory)
    assert all(id(layer.weight) in matrices for layer in recurrent)
    assert len(groups["head"]) == 4
    assert len(matrices) == 7


def test_read_is_remember_step_by_step():
    model, generator = WorldModel(TINY, seed=1), torch.Generator().manual_seed(0)
    codes = one_hot_sample(torch.ones(7, 5, 12), generator)
    actions = torch.randint(3, (7, 5), generator=generator)
    memory, memories = model.empty(5), model.read(codes, actions)
    for time in range(7):
        memory = model.remember(memory, codes[time], actions[time])
        torch.testing.assert_close(memories[time], memory)


def test_world_model_same_seed_gives_the_same_weights_and_leaves_torch_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, again, other = (WorldModel(TINY, seed) for seed in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(first.head.weight, again.head.weight)
    assert not torch.equal(first.head.weight, other.head.weight)


def test_mix_uniform_never_gives_zero():
    probabilities = mix_uniform(torch.tensor([[500.0, 0.0, -500.0, 0.0]]), 0.01)
    assert probabilities.min() == pytest.approx(0.0025)
    assert float(probabilities.sum()) == pytest.approx(1)


def test_straight_through_draws_codes_with_their_probabilities():
    probabilities = torch.tensor([0.1, 0.2, 0.7]).expand(20_000, 3)
    drawn = straight_through_sample(probabilities, torch.Generator().manual_seed(0))
    assert set(drawn.round(decimals=5).unique().tolist()) <= {0.0, 1.0}
    torch.testing.assert_close(drawn.mean(dim=0), probabilities[0], atol=0.02, rtol=0)


def test_loss_does_not_see_what_follows_an_end(recording):
    """Whatever stands behind the ends of windows, the predictions are judged alike."""
    model = WorldModel(TINY)
    windows = recording.windows(recording.window_starts(8), 8)
    behind, beyond = ~windows.alive, ~windows.continues
    assert behind.any(dim=0).sum() > 50
    frames = windows.frames.clone()
    frames[1:][beyond] = torch.rand_like(frames[1:][beyond])
    damaged = Windows(
        frames,
        windows.actions.masked_fill(behind, 0),
        windows.rewards.masked_fill(behind, 1.0),
        windows.terminated.masked_fill(behind, True),
        windows.alive,
        windows.continues,
    )
    one, two = (
        world_model_loss(model, each, torch.Generator().manual_seed(0))
        for each in (windows, damaged)
    )
    for name in ("surprise", "reward", "end"):
        torch.testing.assert_close(getattr(one, name), getattr(two, name))
    assert one.reconstruction != two.reconstruction


def test_loss_gradients_reach_every_parameter(recording):
    model = WorldModel(TINY)
    windows = recording.windows(recording.window_starts(8)[:64], 8)
    world_model_loss(model, windows, torch.Generator().manual_seed(0)).total.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.slow
def test_training_lowers_every_part_of_the_loss(recording):
    model = WorldModel(TINY)
    windows = recording.windows(recording.window_starts(8)[::7], 8)

    def losses():
        with torch.no_grad():
            return world_model_loss(model, windows, torch.Generator().manual_seed(0))

    before = losses()
    train_world_model(
        model,
        recording,
        WorldModelTraining(steps=100, batch_size=16, length=8),
        progress=False,
    )
    after = losses()
    for name in ("total", "reconstruction", "reward", "end"):
        assert getattr(after, name) < 0.85 * getattr(before, name), name


def test_training_resumes_bit_for_bit(recording, tmp_path, monkeypatch):
    settings = WorldModelTraining(steps=6, batch_size=4, length=5, warmup_steps=2)
    whole = WorldModel(TINY)
    train_world_model(whole, recording, settings, progress=False)
    calls, loss = iter(range(4)), learning.world_model_loss

    class Killed(Exception):
        pass

    def dies(*arguments):
        if next(calls, None) is None:
            raise Killed
        return loss(*arguments)

    checkpoint = Checkpoint(tmp_path / "run.safetensors", every=2)
    stopped = WorldModel(TINY)
    with monkeypatch.context() as patched:
        patched.setattr(learning, "world_model_loss", dies)
        with pytest.raises(Killed):
            train_world_model(
                stopped, recording, settings, checkpoint=checkpoint, progress=False
            )
    resumed = WorldModel(TINY, seed=3)
    train_world_model(
        resumed, recording, settings, checkpoint=checkpoint, progress=False
    )
    for name, weight in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], weight), name
