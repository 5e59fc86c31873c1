"""Recordings of games, and the windows of them that a world model is trained on."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from .world import Player, World


@dataclass(frozen=True)
class Windows:
    """A batch of pieces of recordings, each possibly with the end of an episode in it.

    Steps after the first end in a window belong to another episode, so they must not
    count. The step that ends an episode has a reward and an end to learn from, but no
    next frame.

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
        """Return this recording followed by another one with as many games.

        Episodes that are open at the seam are cut off there, because the later
        recording may be of other games.

        Raises:
            ValueError: If the numbers of games or the frames' shapes differ.
        """
        if self.frames.shape[1:] != later.frames.shape[1:]:
            raise ValueError(
                "Only recordings of as many games and equal frames can be joined, got "
                f"{tuple(self.frames.shape[1:])} and {tuple(later.frames.shape[1:])}."
            )
        ended = self.ended.clone()
        ended[-1] = True
        return Recording(
            torch.cat([self.frames, later.frames]),
            torch.cat([self.actions, later.actions]),
            torch.cat([self.rewards, later.rewards]),
            torch.cat([ended, later.ended]),
            torch.cat([self.terminated, later.terminated]),
        )

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
        device = starts.device
        first, game = starts.to(self.frames.device).unbind(dim=1)
        time = first + torch.arange(length + 1)[:, None]
        before = time[:-1]
        ended = self.ended[before, game]
        ends_so_far = ended.int().cumsum(dim=0)
        return Windows(
            frames=self.frames[time, game].to(device).float() / 255,
            actions=self.actions[before, game].to(device),
            rewards=self.rewards[before, game].to(device),
            terminated=self.terminated[before, game].to(device),
            alive=((ends_so_far - ended.int()) == 0).to(device),
            continues=(ends_so_far == 0).to(device),
        )


@torch.no_grad()
def record(world: World, player: Player, steps: int) -> Recording:
    """Let a player play, and record the steps.

    The world is not reset: a second recording continues where the first one stopped.

    Args:
        player: Chooses the actions; all frames count as first ones at the beginning.

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
