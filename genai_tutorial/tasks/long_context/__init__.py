"""Tasks on long contexts: facts hidden in unrelated text, and questions about long
histories.
"""

from .haystack import Haystack, LongTask
from .histories import HistoryExam, history_exam
from .needles import (
    Kind,
    depth_grid,
    many_keys,
    many_values,
    single_needle,
    variable_tracking,
)
from .scores import TaskScore, score_tasks, stream_losses
