"""Tasks: what models are asked to do, one room per task with its data and its judge.

Begin in a task's room with its questions or scenes, then read the judge that decides
whether an answer is correct. `task` holds what several tasks share.
"""

from .task import (
    EndlessBatches,
    check_choice,
    check_same_length,
    in_random_order,
    own_source,
    pick,
    read_words,
)
