"""Memory: notes that outlive a task, and what to keep of a conversation when the
context is full.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.retrieval import FlatIndex
from genai_tutorial.tokenization import Message

from .policy import Conversation, last_results, result_message
from .tools import Tool, ToolError


@dataclass
class LongTermMemory:
    """Notes that are found again by their meaning.

    Attributes:
        encode: Encodes notes and questions as vectors.
        notes: The notes, oldest first.

    >>> memory = LongTermMemory(lambda texts: torch.tensor([[len(t)] for t in texts]))
    >>> memory.add("four"), memory.add("a longer note")
    (None, None)
    >>> memory.search("size", k=1)
    ['four']
    """

    encode: Callable[[Sequence[str]], Float[Tensor, "text width"]]
    notes: list[str] = field(default_factory=list)
    _vectors: list[Tensor] = field(default_factory=list, repr=False)

    def add(self, note: str) -> None:
        """Keep a note, which must not be empty."""
        if not note.strip():
            raise ToolError("a note must not be empty.")
        self._vectors.append(self.encode([note])[0].float())
        self.notes.append(note)

    def search(self, question: str, k: int = 3) -> list[str]:
        """Return the notes nearest to a question, nearest first."""
        if not self.notes:
            return []
        index, k = FlatIndex(torch.stack(self._vectors)), min(k, len(self.notes))
        found = index.search(self.encode([question]).float(), k)
        return [self.notes[place] for place in found.ids[0].tolist()]


def memory_tools(memory: LongTermMemory) -> tuple[Tool, Tool]:
    """Return the tools with which an agent writes and reads its memory."""

    def remember(note: str) -> str:
        """Keep a note for later tasks.

        Args:
            note: The note.
        """
        memory.add(note)
        return "It is kept."

    def recall(question: str) -> str:
        """Find what was kept about a question.

        Args:
            question: The question.
        """
        found = memory.search(question, k=1)
        if not found:
            raise ToolError("nothing was kept so far.")
        return found[0]

    return Tool.from_function(remember), Tool.from_function(recall)


def shortened(
    conversation: Conversation,
    count: Callable[[Conversation], int],
    room: int,
    summarize: Callable[[Sequence[str]], str],
) -> list[Message]:
    """Return a conversation that fits: of its calls and results the oldest are left
    out, as few as possible, and one turn says what `summarize` keeps of their results.

    Args:
        conversation: The task, and then in turn calls and results.
        count: Returns the length of a conversation, in the unit of `room`.

    Raises:
        ValueError: If even the task with a summary of everything is too long.
    """
    task, *turns = conversation
    if count(conversation) <= room:
        return list(conversation)
    for left_out in range(2, len(turns) + 1, 2):
        kept = result_message(summarize(last_results([task, *turns[:left_out]])))
        short = [task, kept, *turns[left_out:]]
        if count(short) <= room:
            return short
    raise ValueError(
        f"The task and a summary are longer than {room}: allow more, or summarize more "
        "briefly."
    )


def compacted(
    conversation: Conversation,
    count: Callable[[Conversation], int],
    room: int,
    summarize: Callable[[Sequence[str]], str],
) -> list[Message]:
    """Return a conversation to go on from: if it is longer than `room`, everything
    between the task and the last call with its result is replaced by one turn, which
    says what `summarize` keeps of the results there.

    Applied after each step to what it returned before, it summarizes its own summary
    again and again, as the compaction of a long session does; `shortened` always begins
    with the whole conversation.

    Args:
        count: Returns the length of a conversation, in the unit of `room`.
    """
    task, *turns = conversation
    if count(conversation) <= room or len(turns) <= 2:
        return list(conversation)
    kept = result_message(summarize(last_results([task, *turns[:-2]])))
    return [task, kept, *turns[-2:]]
