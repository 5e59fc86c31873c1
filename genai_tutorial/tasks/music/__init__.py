"""Music: chorales as tokens and the rules of counterpoint."""

from .baselines import frequency_losses, last_pitch_losses
from .chorale_codes import (
    CODES,
    FEATURES,
    WINDOW,
    ChoraleWindows,
    chorale_windows,
    decode_cells,
)
from .counterpoint import (
    Counterpoint,
    judge_counterpoint,
    repeated_bars,
    shuffle_voices,
)
from .harmony import (
    choose_fewest_parallels,
    compose,
    harmonize,
    phrase_features,
    pitch_agreement,
    write_melody,
)
from .playing import notes_of, play_chorale
