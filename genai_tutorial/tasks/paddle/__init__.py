"""The paddle world: a small game of pixels with chance in it, players to compare with,
and their score.
"""

from .fidelity import DreamFidelity, dream_fidelity
from .players import ForesightPlayer, RandomPlayer, reflex_player
from .positions import Positions, read_positions
from .score import PaddleScore, score_player
from .world import LEFT, PADDLE, RIGHT, SIZE, SPEEDS, STAY, PaddleWorld, bounce
