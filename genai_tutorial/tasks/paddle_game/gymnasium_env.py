"""The paddle world behind gymnasium's interface, for every library that uses it."""

from typing import Any

import numpy as np
import torch

from genai_tutorial.runtime import require

from .world import SIZE, PaddleWorld


def gymnasium_env() -> Any:
    """Return one game of ball and paddle as a `gymnasium.Env`."""
    gymnasium = require("gymnasium", "worlds")

    class PaddleEnv(gymnasium.Env):
        """One game of ball and paddle."""

        metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012  (gymnasium's)
        observation_space = gymnasium.spaces.Box(0, 255, (SIZE, SIZE), np.uint8)
        action_space = gymnasium.spaces.Discrete(PaddleWorld.n_actions)

        def reset(self, *, seed=None, options=None):
            super().reset(seed=seed)
            self.world = PaddleWorld(1, int(self.np_random.integers(2**31)))
            return _images(self.world.frames)[0], {}

        def step(self, action):
            step = self.world.step(torch.tensor([int(action)]))
            cut_off = bool(step.ended[0]) and not bool(step.terminated[0])
            return (
                _images(step.last_frames)[0],
                float(step.rewards[0]),
                bool(step.terminated[0]),
                cut_off,
                {},
            )

    return PaddleEnv()


def gymnasium_vector_env(games: int) -> Any:
    """Return many games as a `gymnasium.vector.VectorEnv`, as fast as `PaddleWorld`."""
    gymnasium = require("gymnasium", "worlds")
    PaddleWorld(games)  # raises an error if there is none

    class PaddleVectorEnv(gymnasium.vector.VectorEnv):
        """Many games of ball and paddle."""

        metadata: dict[str, Any] = {  # noqa: RUF012
            "render_modes": [],
            "autoreset_mode": gymnasium.vector.AutoresetMode.SAME_STEP,
        }
        num_envs = games
        single_observation_space = gymnasium.spaces.Box(0, 255, (SIZE, SIZE), np.uint8)
        single_action_space = gymnasium.spaces.Discrete(PaddleWorld.n_actions)
        observation_space = gymnasium.vector.utils.batch_space(
            single_observation_space, games
        )
        action_space = gymnasium.vector.utils.batch_space(single_action_space, games)

        def reset(self, *, seed=None, options=None):
            super().reset(seed=seed)
            if seed is None:
                seed = int(self.np_random.integers(2**31))
            self.world = PaddleWorld(games, seed)
            return _images(self.world.frames), {}

        def step(self, actions):
            step = self.world.step(torch.as_tensor(np.asarray(actions, dtype=np.int64)))
            ended = step.ended.numpy()
            infos = {}
            if ended.any():
                infos = {"final_obs": _images(step.last_frames), "_final_obs": ended}
            terminated = step.terminated.numpy()
            return (
                _images(step.frames),
                step.rewards.numpy().astype(np.float64),
                terminated,
                ended & ~terminated,
                infos,
            )

    return PaddleVectorEnv()


def _images(frames: torch.Tensor) -> np.ndarray:
    return (frames.numpy() * 255).astype(np.uint8)
