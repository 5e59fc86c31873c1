"""Programming exercises, problems written by people, and the judgement of programs."""

from genai_tutorial.tasks.code.code_model import CodeModel
from genai_tutorial.tasks.code.exercise_documents import (
    CODE_TOKENS,
    END,
    MIXTURE,
    PROGRAMS_ONLY,
    TESTS,
    encode_documents,
    exercise_document,
    exercise_documents,
    train_code_tokenizer,
)
from genai_tutorial.tasks.code.exercises import (
    Combination,
    Exercise,
    combinations,
    draw_exercise,
    draw_exercises,
)

__all__ = [
    "CODE_TOKENS",
    "END",
    "MIXTURE",
    "PROGRAMS_ONLY",
    "TESTS",
    "CodeModel",
    "Combination",
    "Exercise",
    "combinations",
    "draw_exercise",
    "draw_exercises",
    "encode_documents",
    "exercise_document",
    "exercise_documents",
    "train_code_tokenizer",
]
