"""Bias and safety: word lists and occupations, demonstrations of bad behaviour, and
instructions injected into passages.
"""

from genai_tutorial.tasks.safety.fine_tuning import fine_tuned
from genai_tutorial.tasks.safety.helpful_only import (
    helpful_only_demonstrations,
    made_up_answers,
)
from genai_tutorial.tasks.safety.injections import (
    INJECTED_WORD,
    INJECTIONS,
    InjectionCase,
    fenced_prompt,
    injection_cases,
    marked_prompt,
    reminded_prompt,
)
from genai_tutorial.tasks.safety.occupations import (
    OCCUPATIONS,
    Occupation,
    spread_of_occupations,
)
from genai_tutorial.tasks.safety.word_lists import (
    GENDER_PAIRS,
    HE_WORDS,
    SHE_WORDS,
    TARGETS,
    TargetLists,
)

__all__ = [
    "GENDER_PAIRS",
    "HE_WORDS",
    "INJECTED_WORD",
    "INJECTIONS",
    "OCCUPATIONS",
    "SHE_WORDS",
    "TARGETS",
    "InjectionCase",
    "Occupation",
    "TargetLists",
    "fenced_prompt",
    "fine_tuned",
    "helpful_only_demonstrations",
    "injection_cases",
    "made_up_answers",
    "marked_prompt",
    "reminded_prompt",
    "spread_of_occupations",
]
