"""The retrieval task: a library of facts, four sets of questions, questions without an
answer, and poisoned passages.
"""

from genai_tutorial.tasks.retrieval.answerable import (
    AbstentionExam,
    abstention_exam,
    names_the_country,
)
from genai_tutorial.tasks.retrieval.capitals import (
    CapitalPrompt,
    capital_prompts,
    first_name,
)
from genai_tutorial.tasks.retrieval.library import (
    SearchTask,
    cached_vectors,
    fact_library,
)
from genai_tutorial.tasks.retrieval.poison import Poisoning, poison
from genai_tutorial.tasks.retrieval.question_sets import (
    code_questions,
    inverse_cloze,
    natural_questions,
    reverse_questions,
)

__all__ = [
    "AbstentionExam",
    "CapitalPrompt",
    "Poisoning",
    "SearchTask",
    "abstention_exam",
    "cached_vectors",
    "capital_prompts",
    "code_questions",
    "fact_library",
    "first_name",
    "inverse_cloze",
    "names_the_country",
    "natural_questions",
    "poison",
    "reverse_questions",
]
