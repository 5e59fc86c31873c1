"""Music: chorales as tokens and the rules of counterpoint."""

from genai_tutorial.tasks.music.baselines import (
    frequency_losses,
    last_pitch_losses,
)
from genai_tutorial.tasks.music.chorale_codes import (
    CODES,
    FEATURES,
    HIGHEST,
    HOLD_CODE,
    LOWEST,
    REST_CODE,
    VOICE_RANGES,
    WINDOW,
    ChoraleWindows,
    chorale_windows,
    decode_cells,
    encode_cells,
    transpose,
    transpositions,
)
from genai_tutorial.tasks.music.counterpoint import (
    BAR,
    SEVENTHS,
    TRIADS,
    Counterpoint,
    count_parallels,
    judge_counterpoint,
    parallel_motion,
    repeated_bars,
    shuffle_voices,
)
from genai_tutorial.tasks.music.harmony import (
    choose_fewest_parallels,
    compose,
    harmonize,
    phrase_features,
    pitch_agreement,
    write_melody,
)
from genai_tutorial.tasks.music.playing import (
    notes_of,
    piano_roll,
    play_chorale,
)
from genai_tutorial.tasks.music.sounding import (
    SILENT,
    sounding,
)

__all__ = [
    "BAR",
    "CODES",
    "FEATURES",
    "HIGHEST",
    "HOLD_CODE",
    "LOWEST",
    "REST_CODE",
    "SEVENTHS",
    "SILENT",
    "TRIADS",
    "VOICE_RANGES",
    "WINDOW",
    "ChoraleWindows",
    "Counterpoint",
    "choose_fewest_parallels",
    "chorale_windows",
    "compose",
    "count_parallels",
    "decode_cells",
    "encode_cells",
    "frequency_losses",
    "harmonize",
    "judge_counterpoint",
    "last_pitch_losses",
    "notes_of",
    "parallel_motion",
    "phrase_features",
    "piano_roll",
    "pitch_agreement",
    "play_chorale",
    "repeated_bars",
    "shuffle_voices",
    "sounding",
    "transpose",
    "transpositions",
    "write_melody",
]
