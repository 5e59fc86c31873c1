"""BabyAI: rooms with things and the instruction to go to one of them, made by others.

Many games of one level side by side, what their agents see, and their own bot, which
demonstrates and answers what it would do in any state. The verifier counts the *first*
thing that an agent faces: the level's own reward is also paid to an agent that visits
one thing after the other.
"""

import contextlib
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import count
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from genai_tutorial.runtime import require

_TWO_THINGS = "BabyAI-GoToLocalS6N2-v0"
ONE_THING = "BabyAI-GoToObjS6-v1"
"""The level with the same room and a single thing."""

_COLOURS = ("red", "green", "blue", "purple", "yellow", "grey")
_KINDS = ("ball", "box", "key")
BABYAI_WORDS: tuple[str, ...] = (*_COLOURS, *_KINDS)
"""The words that tell instructions apart."""

_HELD_OUT = frozenset({("red", "key"), ("blue", "box"), ("yellow", "ball")})
"""Things that no room of the demonstrations contains."""

BABYAI_ACTIONS = ("turn left", "turn right", "go forward")
"""What agents do in these levels; BabyAI has four further actions."""

_LONGEST = 30  # steps per game
_SIDE = 8  # pixels per cell
_AT_ONCE = 500  # games

BabyAIPolicy = Callable[
    [Float[Tensor, "game 3 56 56"], Float[Tensor, "game word"]], Int[Tensor, "game"]
]
"""Chooses an action for each game from its image and the words of its instruction."""


@dataclass(frozen=True)
class BabyAIAnswers:
    """States, and the bot's action in each of them.

    Attributes:
        views: The number of the tile in each cell that the agent sees.
        words: 1 for each word of the instruction, else 0.
    """

    views: UInt8[Tensor, "state 7 7"]
    words: Float[Tensor, "state word"]
    actions: Int[Tensor, "state"]

    @staticmethod
    def join(parts: Sequence["BabyAIAnswers"]) -> "BabyAIAnswers":
        """Return the states of all parts, one part after another."""
        fields = zip(*(vars(part).values() for part in parts), strict=True)
        return BabyAIAnswers(*(torch.cat(field) for field in fields))

    def __getitem__(self, rows: slice | Tensor) -> "BabyAIAnswers":
        return BabyAIAnswers(*(part[rows] for part in vars(self).values()))


@dataclass(frozen=True)
class BabyAIResult:
    """What became of games.

    Attributes:
        named: True where the first thing faced is the one that the instruction names.
        other: True where it is another one.
        solved: True where the level paid its reward.
        steps: The number of actions in each game.
        answers: What the bot would do, or did, in the states of all games; None if it
            was not asked.
    """

    named: Bool[Tensor, "game"]
    other: Bool[Tensor, "game"]
    solved: Bool[Tensor, "game"]
    steps: Int[Tensor, "game"]
    answers: BabyAIAnswers | None


class BabyAIGames:
    """Games with an instruction each. No agent faces a thing at the start, and no room
    has two equal things.

    Args:
        number: How many games.
        seed: Decides the games.
        level: By default a room with two things; or `ONE_THING`.
        held_out: The instruction names a thing that no demonstration contains: a red
            key, a blue box or a yellow ball.
        told_other: The instruction names the other thing.

    Raises:
        ImportError: If gymnasium or MiniGrid is not installed.

    Source: Chevalier-Boisvert et al., BabyAI, https://arxiv.org/abs/1810.08272
    """

    def __init__(
        self,
        number: int,
        seed: int,
        level: str = _TWO_THINGS,
        held_out: bool = False,
        told_other: bool = False,
    ):
        rooms = _rooms(level, seed, held_out)
        self.rooms = [next(rooms) for _ in range(number)]
        if told_other:
            for room in self.rooms:
                _name(room, next(t for t in _things(room) if t != _named(room)))

    @property
    def instructions(self) -> list[str]:
        """The instructions as sentences."""
        return [room.mission for room in self.rooms]

    def words(self) -> Float[Tensor, "game word"]:
        """Return 1 for each word of the instruction, else 0."""
        said = [_named(room) for room in self.rooms]
        return torch.tensor([[float(w in pair) for w in BABYAI_WORDS] for pair in said])

    def views(self) -> UInt8[Tensor, "game 7 7"]:
        """Return the number of the tile in each cell that the agents see."""
        codes = [room.gen_obs()["image"] for room in self.rooms]
        return _to_views(codes)

    def maps(self) -> UInt8[Tensor, "game 3 side side"]:
        """Draw the whole rooms, with what the agents see in a lighter grey."""
        drawn = [room.get_frame(tile_size=16) for room in self.rooms]
        return torch.from_numpy(np.stack(drawn)).permute(0, 3, 1, 2)


def babyai_images(views: UInt8[Tensor, "n 7 7"]) -> Float[Tensor, "n 3 56 56"]:
    """Draw what agents see; red, green and blue from 0 to 1."""
    tiles = _tiles().to(views.device)[views.long()]  # n 7 7 3 8 8
    return tiles.permute(0, 3, 1, 4, 2, 5).reshape(len(views), 3, 56, 56)


def demonstrate_babyai(
    number: int, seed: int, level: str = _TWO_THINGS
) -> BabyAIAnswers:
    """Return the states and actions of games that the bot plays.

    Raises:
        ImportError: If gymnasium or MiniGrid is not installed.
    """
    parts = []
    for first in range(0, number, _AT_ONCE):
        games = min(_AT_ONCE, number - first)
        part = 1000 * (seed + 1) + first // _AT_ONCE
        parts.append(play_babyai(None, BabyAIGames(games, part, level)).answers)
    return BabyAIAnswers.join(parts)


def play_babyai(
    policy: BabyAIPolicy | None, games: BabyAIGames, ask: bool = False
) -> BabyAIResult:
    """Let a policy play games, at most 30 steps each. The games are used up.

    Args:
        policy: None lets the bot play.
        ask: Ask the bot in each state what it would do, without doing it.
    """
    rooms, words = games.rooms, games.words()
    names = [_named(room) for room in rooms]
    bots = [_bot(room) for room in rooms] if ask or policy is None else None
    codes = [room.gen_obs()["image"] for room in rooms]
    first: list[tuple[str, str] | None] = [None] * len(rooms)
    last: list[int | None] = [None] * len(rooms)
    paid, steps = torch.zeros(len(rooms)), torch.zeros(len(rooms), dtype=torch.long)
    seen: list[BabyAIAnswers] = []
    playing = list(range(len(rooms)))
    for _ in range(_LONGEST):
        views = _to_views([codes[game] for game in playing])
        if bots is not None:
            told = [bots[game](last[game]) for game in playing]
            known = torch.tensor([answer is not None for answer in told])
            answers = torch.tensor([answer or 0 for answer in told])
            seen.append(BabyAIAnswers(views, words[playing], answers)[known])
        if policy is not None:
            answers = policy(babyai_images(views), words[playing])
        playing, before = [], playing
        for game, action in zip(before, answers.tolist(), strict=True):
            observed, reward, ended, cut_off, _ = rooms[game].step(action)
            codes[game], last[game] = observed["image"], action
            first[game] = first[game] or _faced(rooms[game])
            paid[game], steps[game] = reward, steps[game] + 1
            if not ended and not cut_off:
                playing.append(game)
        if not playing:
            break
    named = torch.tensor([f == name for f, name in zip(first, names, strict=True)])
    faced = torch.tensor([f is not None for f in first])
    answers = BabyAIAnswers.join(seen) if seen else None
    return BabyAIResult(named, faced & ~named, paid > 0, steps, answers)


# --- one room ---


def _rooms(level: str, seed: int, held_out: bool) -> Iterator[Any]:
    """Yield rooms of a level, from the seeds that follow each other."""
    gymnasium, _ = require("gymnasium", "worlds"), require("minigrid", "worlds")
    for number in count(10_000 * seed):
        room = gymnasium.make(level).unwrapped
        with contextlib.redirect_stdout(io.StringIO()):  # it prints rejected rooms
            room.reset(seed=number)
        things, named = _things(room), _named(room)
        others = [thing for thing in things if thing != named]
        if len(set(things)) < len(things) or _faced(room):
            continue
        if (named in _HELD_OUT) == held_out and not _HELD_OUT & set(others):
            yield room


def _things(room: Any) -> list[tuple[str, str]]:
    return [(x.color, x.type) for x in room.grid.grid if x and x.type in _KINDS]


def _named(room: Any) -> tuple[str, str]:
    return room.instrs.desc.color, room.instrs.desc.type


def _faced(room: Any) -> tuple[str, str] | None:
    thing = room.grid.get(*room.front_pos)
    return (thing.color, thing.type) if thing and thing.type in _KINDS else None


def _name(room: Any, thing: tuple[str, str]) -> None:
    """Give another instruction, by which the level then pays."""
    verifier = require("minigrid.envs.babyai.core.verifier", "worlds")
    room.instrs = verifier.GoToInstr(verifier.ObjDesc(thing[1], thing[0]))
    room.instrs.reset_verifier(room)
    room.mission = room.instrs.surface(room)


def _bot(room: Any) -> Callable[[int | None], int | None]:
    """Return what the bot would do, from the last action; None once it is confused."""
    bot = require("minigrid.utils.baby_ai_bot", "worlds").BabyAIBot(room)
    confused = False

    def ask(action: int | None) -> int | None:
        nonlocal confused
        if not confused:
            try:
                answer = int(bot.replan(action))
            except AssertionError:
                confused = True
            else:
                return answer if answer < len(BABYAI_ACTIONS) else None
        return None

    return ask


@cache
def _tiles() -> Float[Tensor, "tile 3 8 8"]:
    """Draw the cells that an agent can see: unseen, empty, wall, things, itself."""
    grid = require("minigrid.core.grid", "worlds").Grid
    objects = require("minigrid.core.world_object", "worlds")
    kinds = {"ball": objects.Ball, "box": objects.Box, "key": objects.Key}
    drawn = [grid.render_tile(None, None, False, _SIDE)]
    drawn += [
        grid.render_tile(thing, None, True, _SIDE)
        for thing in (
            None,
            objects.Wall(),
            *(kinds[kind](colour) for colour in _COLOURS for kind in _KINDS),
        )
    ]
    drawn.append(grid.render_tile(None, 3, True, _SIDE))
    return torch.from_numpy(np.stack(drawn)).permute(0, 3, 1, 2).float() / 255


@cache
def _numbers() -> np.ndarray:
    """Return the tile's number for each of MiniGrid's codes of kind and colour."""
    constants = require("minigrid.core.constants", "worlds")
    kinds, colours = constants.OBJECT_TO_IDX, constants.COLOR_TO_IDX
    table = np.zeros((len(kinds), len(colours)), np.uint8)
    table[kinds["empty"]], table[kinds["wall"]] = 1, 2
    for number, (colour, kind) in enumerate((c, k) for c in _COLOURS for k in _KINDS):
        table[kinds[kind], colours[colour]] = 3 + number
    return table


def _to_views(codes: list[np.ndarray]) -> UInt8[Tensor, "game 7 7"]:
    """Return tiles from MiniGrid's codes, whose first axis goes to the right."""
    stacked = np.stack(codes)
    tiles = _numbers()[stacked[..., 0], stacked[..., 1]].swapaxes(1, 2).copy()
    tiles[:, 6, 3] = 3 + len(_COLOURS) * len(_KINDS)  # the agent
    return torch.from_numpy(tiles)
