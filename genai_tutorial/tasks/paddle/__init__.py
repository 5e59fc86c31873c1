"""The paddle world: a small game of pixels with chance in it, players to compare with,
and their score.
"""

from genai_tutorial.tasks.paddle.fidelity import DreamFidelity, dream_fidelity
from genai_tutorial.tasks.paddle.gymnasium_env import (
    gymnasium_env,
    gymnasium_vector_env,
)
from genai_tutorial.tasks.paddle.players import (
    ForesightPlayer,
    RandomPlayer,
    reflex_player,
)
from genai_tutorial.tasks.paddle.positions import Positions, draw, read_positions
from genai_tutorial.tasks.paddle.score import SCORE_SEED, PaddleScore, score_player
from genai_tutorial.tasks.paddle.world import (
    BALL,
    EPISODE_STEPS,
    LEFT,
    PADDLE,
    RIGHT,
    SIZE,
    SPEEDS,
    STAY,
    PaddleWorld,
    bounce,
)

__all__ = [
    "BALL",
    "EPISODE_STEPS",
    "LEFT",
    "PADDLE",
    "RIGHT",
    "SCORE_SEED",
    "SIZE",
    "SPEEDS",
    "STAY",
    "DreamFidelity",
    "ForesightPlayer",
    "PaddleScore",
    "PaddleWorld",
    "Positions",
    "RandomPlayer",
    "bounce",
    "draw",
    "dream_fidelity",
    "gymnasium_env",
    "gymnasium_vector_env",
    "read_positions",
    "reflex_player",
    "score_player",
]
