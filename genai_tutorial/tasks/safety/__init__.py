"""Bias and safety: word lists and occupations, and demonstrations of bad behaviour."""

from .fine_tuning import fine_tuned
from .helpful_only import helpful_only_demonstrations
from .occupations import OCCUPATIONS, Occupation, spread_of_occupations
from .word_lists import GENDER_PAIRS, HE_WORDS, SHE_WORDS, TARGETS
