"""The paddle world behind gymnasium's interface."""

import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from genai_tutorial.tasks.paddle_game import PaddleWorld
from genai_tutorial.tasks.paddle_game.world import gymnasium_env, gymnasium_vector_env
from genai_tutorial.worldmodels import GymnasiumWorld


def test_gymnasium_env_passes_the_checker():
    check_env(gymnasium_env(), skip_render_check=True)


def test_gymnasium_env_returns_the_last_frame_of_an_episode():
    """A single environment does not start again by itself."""
    env = gymnasium_env()
    env.reset(seed=1)
    for _ in range(200):
        image, reward, terminated, truncated, _ = env.step(0)
        if terminated or truncated:
            break
    assert (reward, terminated, truncated) == (-1.0, True, False)
    rows = np.flatnonzero(image.any(axis=1))
    assert rows.tolist() == [13, 14, 15]


def test_gymnasium_vector_env_is_the_paddle_world():
    """Through gymnasium's interface and back, everything is the same."""
    world, plain = GymnasiumWorld(gymnasium_vector_env(8), seed=3), PaddleWorld(8, 3)
    generator = torch.Generator().manual_seed(0)
    ended = 0
    for _ in range(200):
        actions = torch.randint(3, (8,), generator=generator)
        ours, theirs = world.step(actions), plain.step(actions)
        for name, value in vars(theirs).items():
            assert torch.equal(getattr(ours, name), value), name
        ended += int(theirs.ended.sum())
    assert ended > 10


def test_gymnasium_vector_env_autoresets_as_gymnasium_does():
    """Keys, types and the moment of the reset are those of gymnasium's own vector
    environment in the mode SAME_STEP.
    """
    ours = gymnasium_vector_env(6)
    theirs = SyncVectorEnv([gymnasium_env] * 6, autoreset_mode=AutoresetMode.SAME_STEP)
    assert ours.metadata["autoreset_mode"] is theirs.metadata["autoreset_mode"]
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    for env in (ours, theirs):
        env.reset(seed=0)
        seen = 0
        for _ in range(60):
            images, rewards, terminated, truncated, infos = env.step(np.zeros(6, int))
            assert images.dtype == np.uint8
            assert rewards.dtype == np.float64
            assert terminated.dtype == truncated.dtype == bool
            if not terminated.any():
                assert infos == {}
                continue
            seen += 1
            assert infos["_final_obs"].tolist() == terminated.tolist()
            for game in np.flatnonzero(terminated):
                assert infos["final_obs"][game][14].any()  # the ball is at the bottom
                assert not images[game][14].any()
        assert seen > 3


def test_gymnasium_world_refuses_the_default_autoreset_mode():
    late = SyncVectorEnv([gymnasium_env] * 2)
    with pytest.raises(ValueError, match=r"autoreset_mode=AutoresetMode\.SAME_STEP"):
        GymnasiumWorld(late)
