"""Worlds from other libraries: any environment of gymnasium with images and buttons."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from genai_tutorial.runtime import require

from .world import WorldStep


class GymnasiumWorld:
    """A vector environment of gymnasium as a `World`.

    Args:
        environment: A `gymnasium.vector.VectorEnv` whose observations are images of
            bytes, grey or with the colours last, and whose actions are the numbers from
            0. Its autoreset mode must be SAME_STEP: in gymnasium's default mode, the
            step after an end ignores the actions and only resets.
        seed: Seed of the first reset.
        border: The number of pixels to cut off on each side of the images.

    Raises:
        ValueError: If the environment has another autoreset mode, or other
            observations or actions.

    Source: Towers et al., Gymnasium, https://arxiv.org/abs/2407.17032;
        https://farama.org/Vector-Autoreset-Mode
    """

    def __init__(self, environment: Any, seed: int = 0, border: int = 0):
        mode = environment.metadata.get("autoreset_mode")
        if mode is None or mode.name != "SAME_STEP":
            raise ValueError(
                "Games must start again in the step in which they end: make the "
                "environment with autoreset_mode=AutoresetMode.SAME_STEP; it has "
                f"{mode}."
            )
        image, buttons = (
            environment.single_observation_space,
            environment.single_action_space,
        )
        if getattr(image, "dtype", None) != np.uint8 or len(image.shape) not in (2, 3):
            raise ValueError(f"Observations must be images of bytes, got {image}.")
        if not hasattr(buttons, "n") or buttons.start != 0:
            raise ValueError(f"Actions must be the numbers from 0, got {buttons}.")
        self.environment, self.border = environment, border
        self.games, self.n_actions = environment.num_envs, int(buttons.n)
        self._images, _ = environment.reset(seed=seed)

    @property
    def frames(self) -> Float[Tensor, "game *frame"]:
        """The current frame of each game; colours come first."""
        return self._to_frames(self._images)

    def step(self, actions: Int[Tensor, "game"]) -> WorldStep:
        """Press one button in each game."""
        images, rewards, terminated, truncated, infos = self.environment.step(
            actions.cpu().numpy()
        )
        last = images.copy()
        ended = terminated | truncated
        for game in np.flatnonzero(ended):
            last[game] = infos["final_obs"][game]
        # the environment may use the same memory again in its next step
        self._images = images.copy()
        return WorldStep(
            self.frames,
            torch.from_numpy(rewards.astype(np.float32)),
            torch.from_numpy(ended),
            torch.from_numpy(terminated.copy()),
            self._to_frames(last),
        )

    def _to_frames(self, images: np.ndarray) -> Float[Tensor, "game *frame"]:
        cut = slice(self.border, -self.border or None)
        frames = torch.from_numpy(images[:, cut, cut].astype(np.float32) / 255)
        return frames if frames.ndim == 3 else frames.permute(0, 3, 1, 2).contiguous()


def minigrid_world(
    name: str = "MiniGrid-Dynamic-Obstacles-6x6-v0", games: int = 16, seed: int = 0
) -> GymnasiumWorld:
    """Return games of an environment of MiniGrid, seen from above at 3×3 pixels per
    place, without the outer wall.

    Args:
        seed: Decides the games.

    Raises:
        ImportError: If gymnasium or MiniGrid is not installed.

    Source: Chevalier-Boisvert et al., Minigrid & Miniworld,
        https://arxiv.org/abs/2306.13831
    """
    gymnasium = require("gymnasium", "worlds")
    wrappers = require("minigrid.wrappers", "worlds")

    def make() -> Any:
        whole = wrappers.RGBImgObsWrapper(
            gymnasium.make(name, highlight=False), tile_size=_TILE
        )
        return wrappers.ImgObsWrapper(whole)

    environment = gymnasium.vector.SyncVectorEnv(
        [make] * games, autoreset_mode=gymnasium.vector.AutoresetMode.SAME_STEP
    )
    return GymnasiumWorld(environment, seed, border=_TILE)


_TILE = 3  # pixels per place, the fewest that show which way the agent faces
