"""Worlds of gymnasium that the book did not make."""

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from genai_tutorial.tasks.paddle_game import RandomPlayer
from genai_tutorial.worldmodels import (
    GymnasiumWorld,
    WorldModel,
    WorldModelConfig,
    WorldModelTraining,
    minigrid_world,
    record,
    train_world_model,
)


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
    recording = record(minigrid_world(games=4), RandomPlayer(), 60)
    again = record(minigrid_world(games=4), RandomPlayer(), 60)
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
