"""The retrieval task: a library of facts, questions without an answer, and poisoned
passages.
"""

from .answerable import AbstentionExam, abstention_exam, names_the_country
from .capitals import CapitalPrompt, capital_prompts, first_name
from .library import SearchTask, cached_vectors, fact_library
from .poison import Poisoning, poison
