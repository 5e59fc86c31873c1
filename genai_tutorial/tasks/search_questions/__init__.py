"""The retrieval task: a library of facts, questions without an answer, and poisoned
passages.
"""

from .library import (
    AbstentionExam,
    CapitalPrompt,
    Poisoning,
    SearchTask,
    abstention_exam,
    cached_vectors,
    capital_prompts,
    fact_library,
    first_name,
    names_the_country,
    poison,
)
