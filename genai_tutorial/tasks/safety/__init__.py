"""Bias and safety: word lists and occupations, demonstrations of bad behaviour, and
instructions injected into passages.
"""

from .fine_tuning import fine_tuned
from .helpful_only import helpful_only_demonstrations
from .injections import (
    INJECTED_WORD,
    INJECTIONS,
    InjectionCase,
    fenced_prompt,
    injection_cases,
    marked_prompt,
    reminded_prompt,
)
from .occupations import OCCUPATIONS, Occupation, spread_of_occupations
from .word_lists import GENDER_PAIRS, HE_WORDS, SHE_WORDS, TARGETS
