"""Programming exercises, problems written by people, and the judgement of programs."""

from genai_tutorial.tasks.code.answers import (
    NO_ANSWER,
    ask_programs,
    ask_samples,
    right_answers,
    solved,
)
from genai_tutorial.tasks.code.choosing import (
    WrittenTest,
    choose_by_codet,
    choose_by_tests,
    choose_by_vote,
    read_test,
)
from genai_tutorial.tasks.code.code_model import CodeModel
from genai_tutorial.tasks.code.exercise_documents import (
    CODE_TOKENS,
    END,
    MIXTURE,
    SHORT_MIXTURE,
    TESTS,
    WITHOUT_GAPS,
    Form,
    body_line_gaps,
    encode_documents,
    exercise_document,
    exercise_documents,
    train_code_tokenizer,
)
from genai_tutorial.tasks.code.exercises import (
    EXERCISES,
    Combination,
    Exercise,
    combinations,
    draw_exercise,
    draw_exercises,
    exercise_prompt,
)
from genai_tutorial.tasks.code.repair import Failure, encode_repairs, find_failure

__all__ = [
    "CODE_TOKENS",
    "END",
    "EXERCISES",
    "MIXTURE",
    "NO_ANSWER",
    "SHORT_MIXTURE",
    "TESTS",
    "WITHOUT_GAPS",
    "CodeModel",
    "Combination",
    "Exercise",
    "Failure",
    "Form",
    "WrittenTest",
    "ask_programs",
    "ask_samples",
    "body_line_gaps",
    "choose_by_codet",
    "choose_by_tests",
    "choose_by_vote",
    "combinations",
    "draw_exercise",
    "draw_exercises",
    "encode_documents",
    "encode_repairs",
    "exercise_document",
    "exercise_documents",
    "exercise_prompt",
    "find_failure",
    "read_test",
    "right_answers",
    "solved",
    "train_code_tokenizer",
]
