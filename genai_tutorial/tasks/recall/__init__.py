"""The recall task: pairs of a key and a value, and questions for the value that a key
had last; and the parity of bits.

Read `pairs`; `capacity` measures without training how much a memory holds.
"""

from .capacity import MemoryRule, stored_recall
from .pairs import answer_accuracy, parity_batch, recall_batch, table_batch
