"""The programming task: generated exercises, problems written by people, and the
judgement of programs by running them.

Read `exercises`, which combines the pieces in `exercise_parts`, then `code_models`, and
`answers`, which runs programs in the sandbox. `repairs` plants a fault in several
exercises and has agents that look for it.
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
from .code_models import (
    SIMPLE_PROBLEMS,
    CodeModel,
    CodeProblem,
    complete_functions,
    load_human_eval,
    run_completions,
)
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
from .repairs import (
    Proposer,
    RepairPolicy,
    Repository,
    draw_repositories,
    infilled,
    likeliest_first,
    resampled,
    reversed_mutations,
)
