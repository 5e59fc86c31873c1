"""Latin squares: puzzles whose solutions can all be counted.

Begin with `squares`: the puzzles, a perfect model and two solvers. `left_to_right`
holds the loss and the decoding of a model that writes the cells in reading order.
"""

from .left_to_right import left_to_right_loss, solve_left_to_right
from .squares import (
    HELD_OUT,
    LATIN_SOURCE,
    OPEN,
    ORDER,
    CountingDenoiser,
    all_squares,
    backtrack,
    fill_single_candidates,
    is_latin,
    latin_split,
)
