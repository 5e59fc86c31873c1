"""The detour task: pass an obstacle on its left or on its right.

First whole paths round one obstacle. Then a course with gusts, where a policy moves
step by step: a state is the position and the obstacle's place from left to right, and
everyone passes on the side of the obstacle where they are.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

_POINTS = 16
_RADIUS = 0.3
"""The radius of the obstacle, whose centre is (0, 0)."""


def draw_paths(
    count: int, share_left: float, generator: torch.Generator
) -> tuple[Float[Tensor, "path 16 2"], Float[Tensor, "path 1"]]:
    """Return demonstrated paths from (start, -1) to (0, 1), and their starts.

    A path bends by 0.5 to 0.65 to its side, with noise of 0.01 at each point.

    Raises:
        ValueError: If `share_left` is not from 0 to 1.
    """
    if not 0 <= share_left <= 1:
        raise ValueError(f"share_left must be from 0 to 1, got {share_left}.")

    def uniform() -> Tensor:
        return torch.rand(count, 1, generator=generator)

    side = torch.where(uniform() < share_left, -1.0, 1.0)
    start, bend = 0.4 * uniform() - 0.2, (0.5 + 0.15 * uniform()) * side
    t = torch.linspace(0, 1, _POINTS)
    x = start * (1 - t) + bend * torch.sin(math.pi * t)
    paths = torch.stack([x, (2 * t - 1).expand(count, -1)], dim=2)
    return paths + 0.01 * torch.randn(paths.shape, generator=generator), start


def crashes(paths: Float[Tensor, "path point 2"]) -> Bool[Tensor, "path"]:
    """Return which paths touch the obstacle, also between their points.

    >>> crashes(torch.tensor([[[0.0, -1.0], [0.0, 1.0]], [[1.0, -1.0], [1.0, 1.0]]]))
    tensor([ True, False])
    """
    here, there = paths[:, :-1, None], paths[:, 1:, None]
    share = torch.linspace(0, 1, 11, device=paths.device)[:, None]
    between = here + (there - here) * share
    return (between.norm(dim=3) < _RADIUS).any(dim=(1, 2))


_SPEED = 0.1
"""The length of the longest move."""

_STEPS = 34
"""The number of moves of a demonstration; a policy has six more."""

_GOAL = torch.tensor([0.0, 1.0])
_UNSTEADY = 0.02  # standard deviation of the noise in each move of a policy
_BESIDE, _NEARLY_BESIDE = 0.5, 0.48  # distance to the obstacle's centre in passing
CoursePolicy = Callable[[Float[Tensor, "run 3"]], Float[Tensor, "run 2"]]
"""Returns a move for each state."""


@dataclass(frozen=True)
class CourseResult:
    """The runs of a policy.

    Attributes:
        arrived: Whether a run ended near the goal without touching the obstacle.
    """

    arrived: Bool[Tensor, "run"]
    states: Float[Tensor, "run time 3"]


def correct_moves(
    states: Float[Tensor, "run 3"], side: Float[Tensor, "run"] | None = None
) -> Float[Tensor, "run 2"]:
    """Return the demonstrator's move in each state: to a point beside the obstacle,
    past it, then to the goal.

    Args:
        side: -1 to pass on the left, 1 on the right; by default the side of the state.
    """
    place, obstacle = states[:, :2], states[:, 2]
    x, y = place.unbind(1)
    if side is None:
        side = torch.where(x >= obstacle, 1.0, -1.0)
    beside = obstacle + _BESIDE * side
    clear = (x - obstacle) * side > _NEARLY_BESIDE
    past = (y > -0.02) | (clear & (y > -0.3))
    aim = torch.stack([beside, torch.zeros_like(beside)], dim=1)
    way = torch.where(past[:, None], _GOAL.to(place.device), aim) - place
    passing = past & (y < 0.25) & ((x - obstacle).abs() < _BESIDE)
    upwards = torch.stack([0.5 * (beside - x), torch.full_like(x, _SPEED)], dim=1)
    way = torch.where(passing[:, None], upwards, way)
    length = way.norm(dim=1, keepdim=True).clamp(min=1e-6)
    return way / length * length.clamp(max=_SPEED)


def demonstrate_course(
    runs: int, generator: torch.Generator, noise: float = 0.0
) -> tuple[Float[Tensor, "state 3"], Float[Tensor, "state 2"]]:
    """Return the states that the demonstrator visits, and its correct moves there.

    Args:
        noise: Standard deviation of noise that is added to the executed moves, not to
            the recorded ones (DART).

    Raises:
        ValueError: If `runs` is below 1.

    Source: Laskey et al., DART: Noise Injection for Robust Imitation Learning,
        https://arxiv.org/abs/1703.09327
    """
    states = _start(runs, generator)
    seen, moves = [], []
    for _ in range(_STEPS):
        move = correct_moves(states)
        seen.append(states)
        moves.append(move)
        disturbed = move + noise * torch.randn(runs, 2, generator=generator)
        states = torch.cat([states[:, :2] + disturbed, states[:, 2:]], dim=1)
    return torch.cat(seen), torch.cat(moves)


@torch.no_grad()
def run_course(
    policy: CoursePolicy,
    runs: int,
    generator: torch.Generator,
    gust: float = 0.3,
    moves: int = _STEPS + 6,
) -> CourseResult:
    """Let a policy run from new starts. Each move is disturbed a little, and one of the
    first six by a gust to the left or to the right.

    Raises:
        ValueError: If `runs` is below 1.
    """
    states = _start(runs, generator)
    when = torch.randint(1, 6, (runs,), generator=generator)
    force = gust * torch.randn(runs, generator=generator).sign()
    crashed, seen = torch.zeros(runs, dtype=torch.bool), []
    for time in range(moves):
        seen.append(states)
        place = states[:, :2]
        noise = _UNSTEADY * torch.randn(runs, 2, generator=generator)
        after = place + policy(states) + noise
        after[:, 0] += force * (when == time)
        crashed |= _touches(place, after, states[:, 2])
        states = torch.cat([after, states[:, 2:]], dim=1)
    near = (states[:, :2] - _GOAL).norm(dim=1) < 0.15
    return CourseResult(near & ~crashed, torch.stack(seen, dim=1))


def _start(runs: int, generator: torch.Generator) -> Float[Tensor, "run 3"]:
    if runs < 1:
        raise ValueError(f"runs must be at least 1, got {runs}.")
    x, obstacle = 0.3 * torch.rand(2, runs, generator=generator) - 0.15
    return torch.stack([x, torch.full((runs,), -1.0), obstacle], dim=1)


def _touches(before: Tensor, after: Tensor, obstacle: Tensor) -> Tensor:
    """Return which moves touch the obstacle at one of five points on the way."""
    share = torch.linspace(0, 1, 5)[:, None, None]
    points = before + (after - before) * share
    centre = torch.stack([obstacle, torch.zeros_like(obstacle)], dim=1)
    return ((points - centre).norm(dim=2) < _RADIUS).any(dim=0)
