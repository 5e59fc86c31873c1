"""A ball and a paddle on 16x16 black-and-white pixels, in many games at once; and the
same world behind gymnasium's interface, for every library that uses it.

The ball bounces off the walls. At the top, its sideways speed is drawn at random, so no
player can predict the next landing before that. A single frame shows the ball's
position but not its speed, so a good player needs memory.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from genai_tutorial.runtime import require
from genai_tutorial.worldmodels import WorldStep

SIZE = 16
"""Height and width of a frame in pixels."""

BALL = 2
"""Height and width of the ball in pixels."""

PADDLE = 4
"""Width of the paddle in pixels; it moves in the lowest row."""

SPEEDS = (-2, -1, 1, 2)
"""The sideways speeds of the ball in pixels per step; up and down it moves by 1."""

EPISODE_STEPS = 128
"""The number of steps after which an episode is cut off."""

LEFT, STAY, RIGHT = range(3)
"""The three actions: the paddle moves by one pixel, or not at all."""

_LAST_COLUMN = SIZE - BALL  # of the ball's left edge
_LAST_ROW = SIZE - BALL - 1  # of the ball's upper edge, just above the paddle


class PaddleWorld:
    """Games of ball and paddle: a caught ball is a reward of 1, a missed one is -1 and
    the end of the episode.

    >>> world = PaddleWorld(games=2, seed=0)
    >>> world.frames.shape, int(world.frames[0].sum())
    (torch.Size([2, 16, 16]), 8)
    >>> world.step(torch.tensor([LEFT, RIGHT])).rewards
    tensor([0., 0.])
    """

    n_actions = 3

    def __init__(self, games: int, seed: int = 0):
        if games < 1:
            raise ValueError(f"There must be at least one game, got {games}.")
        self.games = games
        self._random = np.random.default_rng(seed)
        # the ball's left and upper edge, its speed, the paddle's left edge
        self.x, self.y, self.vx, self.vy, self.paddle, self.age = (
            np.zeros(games, dtype=np.int64) for _ in range(6)
        )
        self._restart(np.ones(games, dtype=bool))

    @property
    def frames(self) -> Float[Tensor, "game 16 16"]:
        """The current frame of each game, black (0) and white (1)."""
        pixels = np.zeros((self.games, SIZE, SIZE), dtype=np.float32)
        game = np.arange(self.games)
        for row in range(BALL):
            for column in range(BALL):
                pixels[game, self.y + row, self.x + column] = 1
        for column in range(PADDLE):
            pixels[game, SIZE - 1, self.paddle + column] = 1
        return torch.from_numpy(pixels)

    def step(self, actions: Int[Tensor, "game"]) -> WorldStep:
        """Move paddles and balls by one step; games that end start again.

        Raises:
            ValueError: If there is not one action for each game, or one is unknown.
        """
        known = bool(((actions >= 0) & (actions <= RIGHT)).all())
        if actions.shape != (self.games,) or not known:
            raise ValueError(
                f"There must be one action for each of {self.games} games, {LEFT} "
                f"(left), {STAY} (stay) or {RIGHT} (right); got {actions.tolist()}."
            )
        self.age += 1
        self.paddle = np.clip(self.paddle + actions.cpu().numpy() - 1, 0, SIZE - PADDLE)
        self.x, self.vx = bounce(self.x + self.vx, self.vx)
        self.y = self.y + self.vy
        self._bounce_at_top()
        landed = (self.y >= _LAST_ROW + 1) & (self.vy > 0)
        self.y = np.minimum(self.y, _LAST_ROW)
        under = (self.x + BALL > self.paddle) & (self.x < self.paddle + PADDLE)
        caught, missed = landed & under, landed & ~under
        self.vy = np.where(caught, -1, self.vy)
        last_frames = self.frames
        ended = missed | (self.age >= EPISODE_STEPS)
        self._restart(ended)
        return WorldStep(
            self.frames,
            torch.from_numpy(caught.astype(np.float32) - missed.astype(np.float32)),
            torch.from_numpy(ended),
            torch.from_numpy(missed),
            last_frames,
        )

    def _bounce_at_top(self) -> None:
        top = self.y < 0
        self.y = np.where(top, -self.y, self.y)
        self.vy = np.where(top, 1, self.vy)
        drawn = self._random.choice(SPEEDS, self.games)
        self.vx = np.where(top, drawn, self.vx)

    def _restart(self, which: np.ndarray) -> None:
        count = int(which.sum())
        if count == 0:
            return
        self.x[which] = self._random.integers(0, _LAST_COLUMN + 1, count)
        self.y[which] = self._random.integers(0, 5, count)
        self.vx[which] = self._random.choice(SPEEDS, count)
        self.vy[which] = 1
        self.paddle[which] = self._random.integers(0, SIZE - PADDLE + 1, count)
        self.age[which] = 0


def bounce(x: np.ndarray, vx: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Reflect balls that have passed a side wall; return their columns and speeds.

    >>> bounce(np.array([-1, 7, 15]), np.array([-2, 1, 2]))
    (array([ 1,  7, 13]), array([ 2,  1, -2]))
    """
    left, right = x < 0, x > _LAST_COLUMN
    inside = np.where(left, -x, np.where(right, 2 * _LAST_COLUMN - x, x))
    return inside, np.where(left | right, -vx, vx)


@dataclass(frozen=True)
class Positions:
    """The positions of ball and paddle in frames.

    Attributes:
        x: Column of the ball's left edge.
        y: Row of the ball's upper edge.
        paddle: Column of the paddle's left edge.
        complete: True if the frame shows exactly one ball and one paddle; if not, the
            positions are the first bright pixels', 0 if there are none.
    """

    x: Int[Tensor, "*batch"]
    y: Int[Tensor, "*batch"]
    paddle: Int[Tensor, "*batch"]
    complete: Bool[Tensor, "*batch"]


def read_positions(frames: Float[Tensor, "*batch 16 16"]) -> Positions:
    """Find ball and paddle in frames; pixels above 0.5 count as white.

    >>> frame = torch.zeros(16, 16)
    >>> frame[3:5, 7:9] = 1
    >>> frame[15, 2:6] = 1
    >>> positions = read_positions(frame)
    >>> int(positions.x), int(positions.y), int(positions.paddle)
    (7, 3, 2)
    """
    bright = frames > 0.5
    above, floor = bright[..., :-1, :], bright[..., -1, :]
    x, y, paddle = (
        line.to(torch.uint8).argmax(dim=-1)
        for line in (above.any(dim=-2), above.any(dim=-1), floor)
    )
    return Positions(x, y, paddle, (draw(x, y, paddle) == bright).all(-1).all(-1))


def draw(
    x: Int[Tensor, "*batch"], y: Int[Tensor, "*batch"], paddle: Int[Tensor, "*batch"]
) -> Bool[Tensor, "*batch 16 16"]:
    """Draw the frames with ball and paddle at these positions."""
    place = torch.arange(SIZE, device=x.device)
    x, y, paddle = (value[..., None] for value in (x, y, paddle))
    columns = (place >= x) & (place < x + BALL)
    rows = (place >= y) & (place < y + BALL)
    frames = rows[..., :, None] & columns[..., None, :]
    frames[..., -1, :] = (place >= paddle) & (place < paddle + PADDLE)
    return frames


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
