"""Probes of bias and safety: word lists and occupations in `word_lists`, and
demonstrations of bad behaviour in `demonstrations`.
"""

from .demonstrations import fine_tuned, helpful_only_demonstrations
from .word_lists import (
    GENDER_PAIRS,
    HE_WORDS,
    OCCUPATIONS,
    SHE_WORDS,
    TARGETS,
    Occupation,
    spread_of_occupations,
)
