"""Tasks on long contexts: facts hidden in unrelated text, and questions about long
histories.
"""

from genai_tutorial.tasks.long_context.haystack import Haystack, LongTask
from genai_tutorial.tasks.long_context.histories import (
    HistoryExam,
    history_exam,
)
from genai_tutorial.tasks.long_context.needles import (
    depth_grid,
    many_keys,
    many_values,
    single_needle,
    variable_tracking,
)
from genai_tutorial.tasks.long_context.scores import (
    TaskScore,
    score_tasks,
    stream_losses,
)

__all__ = [
    "Haystack",
    "HistoryExam",
    "LongTask",
    "TaskScore",
    "depth_grid",
    "history_exam",
    "many_keys",
    "many_values",
    "score_tasks",
    "single_needle",
    "stream_losses",
    "variable_tracking",
]
