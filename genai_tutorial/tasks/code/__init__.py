"""Programming exercises, problems written by people, and the judgement of programs."""

from .answers import ask_samples, right_answers, solved
from .choosing import (
    WrittenTest,
    choose_by_codet,
    choose_by_tests,
    choose_by_vote,
    read_test,
)
from .code_model import CodeModel
from .completions import complete_functions
from .exercise_documents import (
    CODE_TOKENS,
    END,
    MIXTURE,
    SHORT_MIXTURE,
    WITHOUT_GAPS,
    Form,
    body_line_gaps,
    encode_documents,
    exercise_documents,
    train_code_tokenizer,
)
from .exercise_parts import Condition, Constants, Kind, Reduction, Transformation
from .exercises import (
    EXERCISES,
    Combination,
    Exercise,
    Part,
    combinations,
    draw_exercises,
    exercise_prompt,
)
from .mutation import mutants
from .problems import CodeProblem, load_human_eval, run_completions
from .repair import Failure, encode_repairs, find_failure
from .simple_problems import SIMPLE_PROBLEMS
