from functools import partial
from itertools import pairwise

import pytest
import torch

from genai_tutorial.generation import (
    generate,
    no_repeat_ngram,
    repetition_penalty,
    stream,
)
from genai_tutorial.generation.penalties import frequency_penalty
from tests.generation.test_generate import Counter, WithWeights

IDS = torch.tensor([[0, 1, 1, 3], [2, 2, 2, 2]])
LOGITS = torch.tensor([[2.0, -1.0, 0.5, 4.0], [2.0, -1.0, 0.5, 4.0]])


def test_repetition_penalty_by_hand():
    assert repetition_penalty(LOGITS, IDS, 2.0).tolist() == [
        [1.0, -2.0, 0.5, 2.0],
        [2.0, -1.0, 0.25, 4.0],
    ]
    assert torch.equal(repetition_penalty(LOGITS, IDS, 1.0), LOGITS)


def test_repetition_penalty_counts_the_window_only():
    found = repetition_penalty(LOGITS, IDS, 2.0, window=2)
    assert found.tolist() == [[2.0, -2.0, 0.5, 2.0], [2.0, -1.0, 0.25, 4.0]]
    assert torch.equal(
        repetition_penalty(LOGITS, IDS, 2.0, window=9),
        repetition_penalty(LOGITS, IDS, 2.0),
    )


def test_frequency_penalty_by_hand():
    assert frequency_penalty(LOGITS, IDS, 0.5, presence=1.0).tolist() == [
        [0.5, -3.0, 0.5, 2.5],
        [2.0, -1.0, -2.5, 4.0],
    ]


def test_no_repeat_ngram_by_hand():
    # "1 1" and "2 2 2" have been written; a 3 has had no successor yet
    pairs = no_repeat_ngram(LOGITS, torch.tensor([[0, 1, 1, 0], [2, 2, 2, 2]]), 2)
    assert (pairs == -torch.inf).tolist() == [
        [False, True, False, False],
        [False, False, True, False],
    ]
    long = no_repeat_ngram(LOGITS, IDS, 5)
    assert torch.equal(long, LOGITS)


def test_no_repeat_ngram_of_one_forbids_every_token_of_the_text():
    found = no_repeat_ngram(LOGITS, IDS, 1)
    assert (found == -torch.inf).tolist() == [
        [True, True, False, True],
        [False, False, True, False],
    ]


def test_generate_applies_a_processor_to_the_whole_text():
    # the counter goes round in ten; a repeated pair is forbidden, so it must leave
    ids = generate(
        Counter(),
        torch.tensor([[7]]),
        25,
        temperature=0,
        processor=partial(no_repeat_ngram, size=2),
    )[0].tolist()
    pairs = list(pairwise(ids))
    assert len(set(pairs)) == len(pairs)
    assert ids[:11] == [7, 8, 9, 0, 1, 2, 3, 4, 5, 6, 7]
    streamed = stream(
        WithWeights(),
        [7],
        25,
        temperature=0,
        processor=partial(no_repeat_ngram, size=2),
    )
    assert list(streamed) == ids[1:]


def test_penalties_refuse_bad_arguments():
    with pytest.raises(ValueError, match="penalty must be above 0, got 0"):
        repetition_penalty(LOGITS, IDS, 0.0)
    with pytest.raises(ValueError, match="window must be at least 1"):
        repetition_penalty(LOGITS, IDS, 1.2, window=0)
    with pytest.raises(ValueError, match="size must be at least 1"):
        no_repeat_ngram(LOGITS, IDS, 0)
