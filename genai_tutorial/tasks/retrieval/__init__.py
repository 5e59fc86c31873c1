"""The retrieval task: a library of facts, four sets of questions, questions without an
answer, and poisoned passages.
"""

from .answerable import AbstentionExam, abstention_exam, names_the_country
from .capitals import CapitalPrompt, capital_prompts, first_name
from .library import SearchTask, cached_vectors, fact_library
from .poison import Poisoning, poison
from .question_sets import (
    code_questions,
    inverse_cloze,
    natural_questions,
    reverse_questions,
)
