"""The programming task: generated exercises, problems written by people, and the
judgement of programs by running them.

Read `exercises`, which combines the pieces in `exercise_parts`, then `code_model` and
`problems`, and `answers`, which runs programs in the sandbox. `repositories` plants a
fault in several exercises, and `repairs` has agents that look for it.
"""

from .answers import (
    Failure,
    ask_samples,
    choose_by_codet,
    choose_by_tests,
    expected_answers,
    find_failure,
    mutants,
    solved,
)
from .code_model import CodeModel
from .exercise_parts import (
    Constants,
    ExerciseKind,
    PartCondition,
    Reduction,
    Transformation,
)
from .exercises import (
    CODE_TOKENS,
    END,
    EXERCISE_MIXTURE,
    EXERCISES,
    SHORT_MIXTURE,
    WITHOUT_GAPS,
    Combination,
    Exercise,
    ExercisePart,
    Form,
    body_line_gaps,
    combinations,
    draw_exercises,
    encode_documents,
    exercise_documents,
    exercise_prompt,
    train_code_tokenizer,
)
from .problems import (
    SIMPLE_PROBLEMS,
    CodeProblem,
    complete_functions,
    load_human_eval,
    run_completions,
)
from .repairs import (
    Proposer,
    RepairPolicy,
    infilled,
    likeliest_first,
    resampled,
    reversed_mutations,
)
from .repositories import Repository, draw_repositories
