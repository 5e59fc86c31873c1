"""The music task: chorales as tokens, and the rules of counterpoint.

Read `chorales`, then `counterpoint`, which measures the rules and compares with
count-based models.
"""

from .chorales import (
    CODES,
    FEATURES,
    WINDOW,
    ChoraleWindows,
    chorale_windows,
    compose,
    decode_cells,
    harmonize,
    notes_of,
    phrase_features,
    pitch_agreement,
    play_chorale,
    write_melody,
)
from .counterpoint import (
    Counterpoint,
    backoff_losses,
    choose_fewest_parallels,
    frequency_losses,
    judge_counterpoint,
    last_pitch_losses,
    repeated_bars,
    shuffle_voices,
)
