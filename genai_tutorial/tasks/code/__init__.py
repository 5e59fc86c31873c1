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
from genai_tutorial.tasks.code.completions import (
    StopAfterFunction,
    complete_functions,
    cut_completion,
)
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
from genai_tutorial.tasks.code.mutation import (
    mutants,
    mutation_score,
    surviving_mutants,
)
from genai_tutorial.tasks.code.problems import (
    CodeProblem,
    load_human_eval,
    run_completions,
)
from genai_tutorial.tasks.code.repair import Failure, encode_repairs, find_failure
from genai_tutorial.tasks.code.simple_problems import SIMPLE_PROBLEMS

__all__ = [
    "CODE_TOKENS",
    "END",
    "EXERCISES",
    "MIXTURE",
    "NO_ANSWER",
    "SHORT_MIXTURE",
    "SIMPLE_PROBLEMS",
    "TESTS",
    "WITHOUT_GAPS",
    "CodeModel",
    "CodeProblem",
    "Combination",
    "Exercise",
    "Failure",
    "Form",
    "StopAfterFunction",
    "WrittenTest",
    "ask_programs",
    "ask_samples",
    "body_line_gaps",
    "choose_by_codet",
    "choose_by_tests",
    "choose_by_vote",
    "combinations",
    "complete_functions",
    "cut_completion",
    "draw_exercise",
    "draw_exercises",
    "encode_documents",
    "encode_repairs",
    "exercise_document",
    "exercise_documents",
    "exercise_prompt",
    "find_failure",
    "load_human_eval",
    "mutants",
    "mutation_score",
    "read_test",
    "right_answers",
    "run_completions",
    "solved",
    "surviving_mutants",
    "train_code_tokenizer",
]
