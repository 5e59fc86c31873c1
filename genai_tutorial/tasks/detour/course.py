"""A course with gusts: one correct move everywhere, and moves that are disturbed.

A state is the position and the obstacle's place from left to right. Everyone passes on
the side of the obstacle where they are.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from .paths import RADIUS

SPEED = 0.1
"""The length of the longest move."""

STEPS = 34
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
        states: The states visited: positions and the obstacle's place.
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
    upwards = torch.stack([0.5 * (beside - x), torch.full_like(x, SPEED)], dim=1)
    way = torch.where(passing[:, None], upwards, way)
    length = way.norm(dim=1, keepdim=True).clamp(min=1e-6)
    return way / length * length.clamp(max=SPEED)


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
    for _ in range(STEPS):
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
    moves: int = STEPS + 6,
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
    return ((points - centre).norm(dim=2) < RADIUS).any(dim=0)
