"""The pushing task: a gripper, two shapes, and the instruction to push one of them.

Read `games`, the world with its instructions and its verifier, then `demonstrations`,
a program that solves it, and `rollouts`, which lets a policy act.
"""

from .demonstrations import (
    PUSHING_SOURCE,
    PushingExamples,
    load_demonstrations,
    pushing_moves,
)
from .games import PUSHING_WORDS, PushingGames, draw_games
from .rollouts import PushingResult, play
