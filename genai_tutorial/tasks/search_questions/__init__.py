"""The search task: a library of facts, questions with and without an answer in it, and
poisoned passages.
"""

from .library import (
    AbstentionExam,
    CapitalPrompt,
    Poisoning,
    abstention_exam,
    cached_vectors,
    fact_library,
    first_name,
    poison,
)
