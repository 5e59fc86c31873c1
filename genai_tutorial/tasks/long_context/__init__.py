"""Tasks on long contexts: facts hidden in unrelated text, and questions about long
histories.

Read `needles`, then `scores`.
"""

from .needles import (
    Haystack,
    LongTask,
    NeedleKind,
    depth_grid,
    many_keys,
    many_values,
    single_needle,
    variable_tracking,
)
from .scores import HistoryExam, TaskScore, history_exam, score_tasks
