"""Dreams: the world model as a world to play in, and beside the real one."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from .model import REWARDS, WorldModel, one_hot_sample
from .world import Recording, WorldStep

WARMUP = 8  # real frames that a model sees before the one that its dreams start from


@dataclass(frozen=True)
class DreamState:
    """The state of dreams, as a policy sees it: the past and the current frame.

    Attributes:
        memory: The model's memory before the current frame.
        codes: The code of the current frame.
    """

    memory: Float[Tensor, "*batch memory"]
    codes: Float[Tensor, "*batch units"]

    @property
    def features(self) -> Float[Tensor, "*batch features"]:
        """Both in one vector, for a policy to read."""
        return torch.cat([self.memory, self.codes], dim=-1)

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(
        self, rows: slice | Int[Tensor, "row"] | Bool[Tensor, "game"]
    ) -> "DreamState":
        """Return the states of some games, possibly repeated."""
        return DreamState(self.memory[rows], self.codes[rows])


DreamPolicy = Callable[[Float[Tensor, "game features"]], Int[Tensor, "game"]]
"""Chooses an action for each game from the features of its `DreamState`."""


@dataclass(frozen=True)
class Imagined:
    """Dreams of a policy: the states, one more than there are actions, the expected
    rewards, and the probability that the episode continues after each action.
    """

    states: DreamState
    actions: Int[Tensor, "time game"]
    rewards: Float[Tensor, "time game"]
    continues: Float[Tensor, "time game"]

    @property
    def features(self) -> Float[Tensor, "states game features"]:
        """The features of the states, which the policy saw."""
        return self.states.features

    @property
    def weights(self) -> Float[Tensor, "time game"]:
        """The probability that the episode has not ended before each action."""
        first = torch.ones_like(self.continues[:1])
        return torch.cat([first, self.continues[:-1]]).cumprod(dim=0)

    @property
    def total_reward(self) -> float:
        """The mean expected sum of rewards per dream."""
        return float((self.rewards * self.weights).sum(dim=0).mean())


def sample_codes(
    logits: Float[Tensor, "game group code"],
    temperature: float | int = 1.0,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "game units"]:
    """Draw the code of the next frame, as one-hot vectors in one row."""
    if temperature < 0:
        raise ValueError(f"temperature must be at least 0, got {temperature}.")
    if temperature == 0:
        codes = F.one_hot(logits.argmax(dim=-1), logits.shape[-1]).to(logits)
    else:
        codes = one_hot_sample(F.softmax(logits / temperature, dim=-1), generator)
    return codes.flatten(start_dim=1)


@torch.no_grad()
def dream_step(
    model: WorldModel,
    state: DreamState,
    actions: Int[Tensor, "game"],
    temperature: float | int = 1.0,
    generator: torch.Generator | None = None,
) -> tuple[DreamState, Float[Tensor, "game"], Float[Tensor, "game"]]:
    """Dream one step; return the next state, the expected rewards, and the
    probabilities that the episodes continue. The logits of the next frames' codes are
    divided by the temperature; at 0, the most probable ones follow.
    """
    memory = model.remember(state.memory, state.codes, actions)
    expected = model.predict(memory)
    codes = sample_codes(expected.codes, temperature, generator)
    rewards = F.softmax(expected.rewards, dim=-1) @ memory.new_tensor(REWARDS)
    return DreamState(memory, codes), rewards, torch.sigmoid(-expected.end)


@torch.no_grad()
def imagine(
    model: WorldModel,
    start: DreamState,
    policy: DreamPolicy,
    horizon: int,
    temperature: float | int = 1.0,
    generator: torch.Generator | None = None,
) -> Imagined:
    """Dream for a number of steps, with a policy that chooses the actions; see
    `dream_step`.

    Raises:
        ValueError: If there is not at least one step.
    """
    if horizon < 1:
        raise ValueError(f"A dream has at least one step, got {horizon}.")
    states, kept = [start], []
    for _ in range(horizon):
        actions = policy(states[-1].features)
        state, rewards, continues = dream_step(
            model, states[-1], actions, temperature, generator
        )
        states.append(state)
        kept.append((actions, rewards, continues))
    columns = zip(*((state.memory, state.codes) for state in states), strict=True)
    together = DreamState(*map(torch.stack, columns))
    return Imagined(together, *map(torch.stack, zip(*kept, strict=True)))


@torch.no_grad()
def dream_starts(
    model: WorldModel,
    recording: Recording,
    count: int,
    generator: torch.Generator | None = None,
) -> DreamState:
    """Return states to dream from: the model has seen eight real frames and the current
    one, all of one episode, because a single frame does not show how things move.

    Raises:
        ValueError: If the recording has no stretch of that length without an end.
    """
    starts = recording.unbroken_starts(WARMUP)
    drawn = starts[torch.randint(len(starts), (count,), generator=generator)]
    return state_after(model, recording, drawn, WARMUP)


@torch.no_grad()
def state_after(
    model: WorldModel, recording: Recording, starts: Int[Tensor, "game 2"], warmup: int
) -> DreamState:
    """Return the states after `warmup` real steps from these times and games."""
    windows = recording.windows(starts.to(next(model.parameters()).device), warmup)
    codes = model.codes(windows.frames.flatten(end_dim=1))
    codes = codes.unflatten(0, windows.frames.shape[:2])
    return DreamState(model.read(codes[:-1], windows.actions)[-1], codes[-1])


class Dream:
    """A dreamed world, with the interface of a real one.

    Frames are drawn from the model, rewards are expected values, and an episode ends
    with the predicted probability (with temperature 0, if that is above one half). It
    then begins again at its start, see `dream_starts`.
    """

    def __init__(
        self,
        model: WorldModel,
        start: DreamState,
        seed: int = 0,
        temperature: float | int = 1.0,
    ):
        self.model, self.start, self.temperature = model, start, temperature
        self.games, self.n_actions = len(start.codes), model.config.actions
        self.state = start
        self._generator = torch.Generator().manual_seed(seed)

    @property
    def frames(self) -> Float[Tensor, "game *frame"]:
        """The current dreamed frame of each game."""
        with torch.no_grad():
            return self.model.decode(self.state.codes)

    def step(self, actions: Int[Tensor, "game"]) -> WorldStep:
        """Dream one step; dreams that end start again."""
        self.state, rewards, continues = dream_step(
            self.model, self.state, actions, self.temperature, self._generator
        )
        last_frames = self.frames
        limit = torch.full_like(continues, 0.5)
        if self.temperature > 0:
            limit = torch.rand(continues.shape, generator=self._generator)
            limit = limit.to(continues.device)
        ended = continues < limit
        keep = ~ended[:, None]
        self.state = DreamState(
            torch.where(keep, self.state.memory, self.start.memory),
            torch.where(keep, self.state.codes, self.start.codes),
        )
        return WorldStep(self.frames, rewards, ended, ended.clone(), last_frames)


class ModelPlayer:
    """Plays any world with a policy of dreams: the world model reads the frames and
    remembers what the policy needs.
    """

    def __init__(self, model: WorldModel, policy: DreamPolicy):
        self.model, self.policy = model, policy
        self._memory: Tensor | None = None

    @torch.no_grad()
    def __call__(
        self, frames: Float[Tensor, "game *frame"], first: Bool[Tensor, "game"]
    ) -> Int[Tensor, "game"]:
        """Return an action for each game, on the device of the frames."""
        device = next(self.model.parameters()).device
        shown, first = frames.to(device), first.to(device)
        if self._memory is None or len(self._memory) != len(frames):
            self._memory = self.model.empty(len(frames))
        memory = torch.where(first[:, None], 0.0, self._memory)
        state = DreamState(memory, self.model.codes(shown))
        actions = self.policy(state.features)
        self._memory = self.model.remember(memory, state.codes, actions)
        return actions.to(frames.device)


@dataclass(frozen=True)
class DreamComparison:
    """Pieces of a recording, and what a model dreams there with the same actions: the
    frames that it sees before, the real ones that follow, the dreamed ones, and the
    actions that lead to them. Brightness is from 0 to 1.
    """

    seen: Float[Tensor, "warmup dream *frame"]
    real: Float[Tensor, "step dream *frame"]
    dreamed: Float[Tensor, "step dream *frame"]
    actions: Int[Tensor, "step dream"]


@torch.no_grad()
def dream_beside_reality(
    model: WorldModel,
    recording: Recording,
    steps: int,
    count: int,
    *,
    temperature: float | int = 1.0,
    seed: int = 0,
) -> DreamComparison:
    """Dream along pieces of a recording in which no episode ends.

    Raises:
        ValueError: If the recording has no such piece.
    """
    generator = torch.Generator().manual_seed(seed)
    starts = recording.unbroken_starts(WARMUP + steps)
    drawn = starts[torch.randint(len(starts), (count,), generator=generator)]
    windows = recording.windows(drawn, WARMUP + steps)
    state, frames = state_after(model, recording, drawn, WARMUP), []
    for actions in windows.actions[WARMUP:]:
        state, _, _ = dream_step(model, state, actions, temperature, generator)
        frames.append(model.decode(state.codes))
    return DreamComparison(
        windows.frames[: WARMUP + 1],
        windows.frames[WARMUP + 1 :],
        torch.stack(frames),
        windows.actions[WARMUP:],
    )
