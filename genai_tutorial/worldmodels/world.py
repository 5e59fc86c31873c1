"""Worlds: many games at once, with frames and buttons, and recordings of them.

Real worlds and dreams share one interface, so that every player can play in both.
"""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from genai_tutorial.runtime import require


@dataclass(frozen=True)
class WorldStep:
    """The result of one action in each game of a world.

    A game that ends starts again within the same step, so `frames` then belongs to the
    next episode and `last_frames` to the one that ended.

    Attributes:
        frames: The frames to act on next, brightness from 0 to 1.
        ended: True where the episode is over.
        terminated: True where the world ended it, so that no reward could follow; False
            where the episode was cut off because of its length.
        last_frames: The frames that the actions led to, before any game started again.
    """

    frames: Float[Tensor, "game *frame"]
    rewards: Float[Tensor, "game"]
    ended: Bool[Tensor, "game"]
    terminated: Bool[Tensor, "game"]
    last_frames: Float[Tensor, "game *frame"]


@runtime_checkable
class World(Protocol):
    """Many games that are played side by side.

    Attributes:
        n_actions: The number of buttons; actions are 0 to n_actions - 1.
    """

    games: int
    n_actions: int

    @property
    def frames(self) -> Float[Tensor, "game *frame"]:
        """The current frame of each game."""

    def step(self, actions: Int[Tensor, "game"]) -> WorldStep:
        """Press one button in each game."""


@runtime_checkable
class Player(Protocol):
    """Chooses the buttons from the frames; it may remember earlier ones."""

    def __call__(
        self, frames: Float[Tensor, "game *frame"], first: Bool[Tensor, "game"]
    ) -> Int[Tensor, "game"]:
        """Return an action for each game.

        Args:
            first: True for the first frame of an episode, so that earlier frames no
                longer count.
        """


@dataclass(frozen=True)
class Windows:
    """A batch of pieces of recordings. Steps after the first end in a window belong to
    another episode, so they must not count; the step that ends an episode has a reward
    and an end to learn from, but no next frame.

    Attributes:
        frames: The frames, brightness from 0 to 1; one more than there are actions.
        rewards: The reward after each action.
        terminated: True where the world ended the episode after the action.
        alive: True for actions of the window's first episode.
        continues: True where the frame after the action belongs to it, too.
    """

    frames: Float[Tensor, "frames batch *frame"]
    actions: Int[Tensor, "time batch"]
    rewards: Float[Tensor, "time batch"]
    terminated: Bool[Tensor, "time batch"]
    alive: Bool[Tensor, "time batch"]
    continues: Bool[Tensor, "time batch"]


@dataclass(frozen=True)
class Recording:
    """Steps of many games: each frame, the action chosen there, and its consequences.

    Attributes:
        frames: The frames, brightness from 0 to 255.
        actions: The action chosen at each frame.
        ended: True where the episode ended with that action; the next frame then
            belongs to another episode.
        terminated: True where the world ended it, see `WorldStep`.
    """

    frames: UInt8[Tensor, "time game *frame"]
    actions: Int[Tensor, "time game"]
    rewards: Float[Tensor, "time game"]
    ended: Bool[Tensor, "time game"]
    terminated: Bool[Tensor, "time game"]

    @property
    def steps(self) -> int:
        """The number of steps in all games together."""
        return self.actions.numel()

    def join(self, later: "Recording") -> "Recording":
        """Return this recording followed by another one with as many games, in which
        episodes that are open at the seam are cut off.

        Raises:
            ValueError: If the numbers of games or the frames' shapes differ.
        """
        if self.frames.shape[1:] != later.frames.shape[1:]:
            raise ValueError(
                "Only recordings of as many games and equal frames can be joined, got "
                f"{tuple(self.frames.shape[1:])} and {tuple(later.frames.shape[1:])}."
            )
        pairs = zip(vars(self).values(), vars(later).values(), strict=True)
        joined = Recording(*map(torch.cat, pairs))
        joined.ended[self.ended.shape[0] - 1] = True
        return joined

    def window_starts(self, length: int) -> Int[Tensor, "window 2"]:
        """Return where windows of `length` actions can begin: time and game.

        Raises:
            ValueError: If the recording is too short for a single one.
        """
        time, games = self.actions.shape
        if not 1 <= length < time:
            raise ValueError(
                f"A window's length must be from 1 to {time - 1}, which leaves a frame "
                f"after the last action; got {length}."
            )
        return torch.cartesian_prod(torch.arange(time - length), torch.arange(games))

    def unbroken_starts(self, length: int) -> Int[Tensor, "window 2"]:
        """Return where windows begin in which no episode ends: time and game.

        Raises:
            ValueError: If there is none.
        """
        starts = self.window_starts(length)
        ends = torch.cat([torch.zeros_like(self.ended[:1]), self.ended]).int()
        ends_before = ends.cumsum(dim=0)
        time, game = starts.unbind(dim=1)
        unbroken = ends_before[time + length, game] == ends_before[time, game]
        if not unbroken.any():
            raise ValueError(
                f"No episode of the recording has {length + 1} frames in a row: use a "
                "longer recording or a shorter stretch."
            )
        return starts[unbroken]

    def windows(self, starts: Int[Tensor, "batch 2"], length: int) -> Windows:
        """Cut out windows of `length` actions that begin at these times and games, on
        the device of the starts.
        """
        first, game = starts.to(self.frames.device).unbind(dim=1)
        time = first + torch.arange(length + 1)[:, None]
        before = time[:-1]
        ended = self.ended[before, game]
        ends_so_far = ended.int().cumsum(dim=0)
        parts = (
            self.frames[time, game],
            self.actions[before, game],
            self.rewards[before, game],
            self.terminated[before, game],
            ends_so_far == ended,  # alive
            ends_so_far == 0,  # continues
        )
        frames, *rest = (part.to(starts.device) for part in parts)
        return Windows(frames.float() / 255, *rest)


@torch.no_grad()
def record_games(world: World, player: Player, steps: int) -> Recording:
    """Let a player play, and record the steps.

    The world is not reset: a second recording continues where the first one stopped,
    but all frames count as first ones at the beginning.

    Raises:
        ValueError: If there is not at least one step.
    """
    if steps < 1:
        raise ValueError(f"There must be at least one step, got {steps}.")
    frames, first = world.frames, torch.ones(world.games, dtype=torch.bool)
    kept = []
    for _ in range(steps):
        actions = player(frames, first)
        step = world.step(actions)
        shown = (frames * 255).round().to(torch.uint8)
        kept.append((shown, actions, step.rewards, step.ended, step.terminated))
        frames, first = step.frames, step.ended
    return Recording(*(torch.stack(part) for part in zip(*kept, strict=True)))


_TILE = 3  # pixels per cell, the fewest that show which way the agent faces


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
        image = environment.single_observation_space
        buttons = environment.single_action_space
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
    cell, without the outer wall.

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
