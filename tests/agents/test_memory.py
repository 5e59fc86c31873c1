"""Memory: notes are found again, and long conversations are shortened."""

import pytest
import torch

from genai_tutorial.agents import (
    LongTermMemory,
    ToolError,
    compacted,
    last_results,
    memory_tools,
    result_message,
    shortened,
)
from genai_tutorial.tokenization import Message

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def letter_counts(texts):
    return torch.tensor(
        [[text.lower().count(one) for one in LETTERS] for text in texts]
    )


def test_long_term_memory_finds_the_nearest_note():
    memory = LongTermMemory(letter_counts)
    assert memory.search("anything") == []
    for note in ("Anna lives in Riga.", "The code is 4821.", "Buy bread."):
        memory.add(note)
    assert memory.search("bread?", k=1) == ["Buy bread."]
    assert len(memory.search("bread?", k=9)) == 3
    with pytest.raises(ToolError, match="must not be empty"):
        memory.add(" ")


def test_memory_tools_write_and_read():
    remember, recall = memory_tools(LongTermMemory(letter_counts))
    assert recall.call({"question": "Where?"}).is_error
    assert not remember.call({"note": "Anna lives in Riga."}).is_error
    assert remember.call({"note": ""}).is_error
    assert recall.call({"question": "Where is Anna?"}).text == "Anna lives in Riga."


def conversation(results):
    turns = [Message("user", "task")]
    for result in results:
        turns += [Message("assistant", "call"), result_message(result)]
    return turns


def size(messages):
    return sum(len(message.content) for message in messages)


def test_shortened_leaves_out_the_oldest_results_and_no_more():
    whole = conversation(["a" * 20, "b" * 20, "c" * 20])
    assert shortened(whole, size, 1000, "".join) == whole
    short = shortened(whole, size, 90, lambda results: f"{len(results)} results")
    assert last_results(short) == ["1 results", "b" * 20, "c" * 20]
    assert size(short) <= 90
    shorter = shortened(whole, size, 60, lambda results: f"{len(results)} results")
    assert last_results(shorter) == ["2 results", "c" * 20]
    with pytest.raises(ValueError, match="longer than 5"):
        shortened(whole, size, 5, "".join)


def test_compacted_summarizes_its_own_summary():
    def join(results):
        return f"<{'+'.join(results)}>"

    turns = conversation(["aa", "bb", "cc", "dd"])
    context = turns[:3]
    for place in range(3, 9, 2):
        context = compacted([*context, *turns[place : place + 2]], size, 25, join)
    assert last_results(context) == ["<<<aa>+bb>+cc>", "dd"]
    assert context[0] == turns[0]
    assert compacted(turns, size, 1000, join) == turns
    assert compacted(turns[:3], size, 1, join) == turns[:3], "the last result stays"
