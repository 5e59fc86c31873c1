"""The retrieval task: a library of facts, questions without an answer, and poisoned
passages.
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
