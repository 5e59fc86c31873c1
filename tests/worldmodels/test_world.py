"""Recordings, and windows with the end of an episode in them."""

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from genai_tutorial.tasks.paddle_game import (
    PaddleWorld,
    RandomPlayer,
)
from genai_tutorial.worldmodels import (
    GymnasiumWorld,
    Recording,
    WorldModel,
    WorldModelConfig,
    WorldModelTraining,
    minigrid_world,
    record_games,
    train_world_model,
)


def small(ended, terminated=None):
    """A recording of one game whose frames count the steps."""
    time = len(ended)
    frames = torch.arange(time, dtype=torch.uint8).view(time, 1, 1, 1)
    ended = torch.tensor(ended)[:, None]
    return Recording(
        frames.expand(time, 1, 2, 2).contiguous(),
        torch.arange(time)[:, None] % 3,
        torch.arange(time, dtype=torch.float32)[:, None],
        ended,
        ended if terminated is None else torch.tensor(terminated)[:, None],
    )


def test_windows_mask_everything_behind_the_first_end():
    """The ending step has a reward but no next frame of its episode."""
    recording = small([False, False, True, False, True, False, False])
    windows = recording.windows(torch.tensor([[0, 0], [3, 0]]), length=3)
    assert windows.alive.T.tolist() == [[True, True, True], [True, True, False]]
    assert windows.continues.T.tolist() == [[True, True, False], [True, False, False]]
    assert windows.rewards.T.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert (windows.frames[..., 0, 0] * 255).round().T.tolist() == [
        [0, 1, 2, 3],
        [3, 4, 5, 6],
    ]


def test_window_starts_leave_a_frame_after_the_last_action():
    recording = record_games(PaddleWorld(3), RandomPlayer(), 10)
    starts = recording.window_starts(4)
    assert len(starts) == 6 * 3
    assert starts[:, 0].max() == 5
    recording.windows(starts, 4)
    for length in (0, 10):
        with pytest.raises(ValueError, match="length must be from 1 to 9"):
            recording.window_starts(length)


def test_unbroken_starts_are_those_of_windows_that_continue():
    recording = record_games(PaddleWorld(6), RandomPlayer(), 50)
    starts = recording.window_starts(9)
    continues = recording.windows(starts, 9).continues[-1]
    assert 0 < continues.sum() < len(starts)
    assert torch.equal(recording.unbroken_starts(9), starts[continues])


def test_record_keeps_what_the_world_answered():
    recording = record_games(PaddleWorld(5, seed=2), RandomPlayer(1), 30)
    world, player = PaddleWorld(5, seed=2), RandomPlayer(1)
    frames, first = world.frames, torch.ones(5, dtype=torch.bool)
    for time in range(30):
        assert torch.equal(recording.frames[time].float() / 255, frames)
        actions = player(frames, first)
        step = world.step(actions)
        assert torch.equal(recording.actions[time], actions)
        assert torch.equal(recording.rewards[time], step.rewards)
        assert torch.equal(recording.ended[time], step.ended)
        assert torch.equal(recording.terminated[time], step.terminated)
        frames, first = step.frames, step.ended
    assert recording.steps == 150


def test_record_goes_on_where_the_world_stands():
    world, together = PaddleWorld(4), PaddleWorld(4)
    player, same = RandomPlayer(), RandomPlayer()
    parts = [record_games(world, player, 10), record_games(world, player, 15)]
    whole = record_games(together, same, 25)
    joined = parts[0].join(parts[1])
    assert torch.equal(joined.frames, whole.frames)
    assert torch.equal(joined.rewards, whole.rewards)
    with pytest.raises(ValueError, match="at least one step, got 0"):
        record_games(world, player, 0)


def test_join_cuts_episodes_off_at_the_seam_without_terminating_them():
    joined = small([False, False]).join(small([False, False]))
    assert joined.ended[:, 0].tolist() == [False, True, False, False]
    assert not joined.terminated.any()
    with pytest.raises(ValueError, match="as many games and equal frames"):
        small([False]).join(record_games(PaddleWorld(1), RandomPlayer(), 2))


class Counter(gymnasium.Env):
    """Shows the number of its step and ends after three."""

    observation_space = gymnasium.spaces.Box(0, 255, (4, 5, 3), np.uint8)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.step_number = 0
        return self.image(), {}

    def step(self, action):
        self.step_number += 1
        ended = self.step_number == 3
        return self.image(), float(action), ended and action == 1, ended, {}

    def image(self):
        return np.full((4, 5, 3), self.step_number * 51, dtype=np.uint8)


def same_step(make):
    return SyncVectorEnv([make] * 2, autoreset_mode=AutoresetMode.SAME_STEP)


def test_gymnasium_world_tells_last_frames_from_first_ones():
    world = GymnasiumWorld(same_step(Counter))
    assert (world.games, world.n_actions) == (2, 2)
    assert world.frames.shape == (2, 3, 4, 5)
    for number in (1, 2):
        step = world.step(torch.tensor([0, 1]))
        assert step.frames.unique().tolist() == pytest.approx([number * 0.2])
        assert torch.equal(step.frames, step.last_frames)
    step = world.step(torch.tensor([0, 1]))
    assert step.ended.tolist() == [True, True]
    assert step.terminated.tolist() == [False, True]
    assert step.rewards.tolist() == [0.0, 1.0]
    assert step.frames.unique().tolist() == [0.0]
    assert step.last_frames.unique().tolist() == pytest.approx([0.6])


def test_gymnasium_world_cuts_the_border_off():
    assert GymnasiumWorld(same_step(Counter), border=1).frames.shape == (2, 3, 2, 3)


def test_gymnasium_world_refuses_what_is_no_image_or_no_button():
    def cart_pole():
        return gymnasium.make("CartPole-v1")

    with pytest.raises(ValueError, match="Observations must be images of bytes"):
        GymnasiumWorld(same_step(cart_pole))

    class Steered(Counter):
        action_space = gymnasium.spaces.Box(-1, 1, (1,))

    with pytest.raises(ValueError, match="Actions must be the numbers from 0"):
        GymnasiumWorld(same_step(Steered))


@pytest.mark.slow
def test_minigrid_world_is_learned_by_the_same_code():
    recording = record_games(minigrid_world(games=4), RandomPlayer(), 60)
    again = record_games(minigrid_world(games=4), RandomPlayer(), 60)
    assert torch.equal(recording.frames, again.frames)
    assert recording.frames.shape[2:] == (3, 12, 12)
    assert recording.terminated.any()
    model = WorldModel(WorldModelConfig(frame=(3, 12, 12), hidden=32, memory=16))
    history = train_world_model(
        model,
        recording,
        WorldModelTraining(steps=80, batch_size=8, length=6),
        progress=False,
    )
    assert history.losses[-1] < 0.7 * history.losses[0]
