"""The paddle game: a small game of pixels with chance in it, players to compare with,
and their score.

Read `world`, then `players`.
"""

from .players import (
    DreamFidelity,
    ForesightPlayer,
    PaddleScore,
    RandomPlayer,
    dream_fidelity,
    reflex_player,
    score_player,
)
from .world import (
    LEFT,
    PADDLE,
    RIGHT,
    SIZE,
    SPEEDS,
    STAY,
    PaddleWorld,
    Positions,
    bounce,
    read_positions,
)
