"""Head scores on constructed attention maps, and repeated random tokens."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.interpretability import (
    induction_scores,
    previous_token_scores,
    repeated_random_tokens,
)


@settings(max_examples=30)
@given(st.integers(1, 4), st.integers(1, 20), st.integers(20, 50), st.integers(0, 99))
def test_repeated_tokens_have_exactly_one_earlier_occurrence(
    count, length, vocabulary, seed
):
    rows = repeated_random_tokens(count, length, vocabulary, seed)
    assert rows.shape == (count, 2 * length)
    assert torch.equal(rows[:, :length], rows[:, length:])
    assert all(len(set(row[:length].tolist())) == length for row in rows)
    assert rows.min() >= 0
    assert rows.max() < vocabulary
    assert torch.equal(rows, repeated_random_tokens(count, length, vocabulary, seed))


def test_repeated_tokens_differ_between_rows_and_seeds():
    rows = repeated_random_tokens(2, 30, 1000, seed=0)
    assert not torch.equal(rows[0], rows[1])
    assert not torch.equal(rows, repeated_random_tokens(2, 30, 1000, seed=1))


def test_repeated_tokens_come_from_the_given_vocabulary():
    rows = repeated_random_tokens(5, 3, torch.tensor([7, 70, 700, 7000]), seed=0)
    assert set(rows.flatten().tolist()) <= {7, 70, 700, 7000}


def maps_that_look(back: dict[int, float], size: int) -> torch.Tensor:
    """A head that gives the stated weight to the stated distances, and the rest to
    itself.
    """
    table = torch.zeros(size, size)
    for query in range(size):
        for distance, weight in back.items():
            if distance <= query:
                table[query, query - distance] = weight
        table[query, query] += 1 - table[query].sum()
    return table


def test_scores_of_known_attention_maps():
    period = 5
    heads = torch.stack(
        [
            maps_that_look({period - 1: 1.0}, 10),  # a perfect induction head
            maps_that_look({1: 0.75, period - 1: 0.25}, 10),
            # attends to the earlier occurrence, not to the token after it
            maps_that_look({period: 1.0}, 10),
            maps_that_look({}, 10),
        ]
    )
    # two layers of two heads, three texts
    maps = heads.view(2, 1, 2, 10, 10).repeat(1, 3, 1, 1, 1)
    expected = torch.tensor([[1.0, 0.25], [0.0, 0.0]])
    torch.testing.assert_close(induction_scores(maps, period), expected)
    torch.testing.assert_close(
        previous_token_scores(maps), torch.tensor([[0.0, 0.75], [0.0, 0.0]])
    )


def test_induction_scores_are_averaged_over_the_batch():
    induction, idle = maps_that_look({2: 1.0}, 6), maps_that_look({}, 6)
    # one layer, two texts, one head
    maps = torch.stack([induction, idle])[None, :, None]
    assert induction_scores(maps, period=3).item() == 0.5


def test_head_scores_refuse_invalid_arguments():
    with pytest.raises(
        ValueError,
        match="length must be from 1 to the number of different tokens, 5, got 6",
    ):
        repeated_random_tokens(1, 6, vocabulary=5)
    with pytest.raises(
        ValueError, match="of 4 tokens repeated once, 8 square; got 10x10"
    ):
        induction_scores(torch.zeros(1, 1, 1, 10, 10), period=4)
    with pytest.raises(ValueError, match="At least two positions"):
        previous_token_scores(torch.ones(1, 1, 1, 1, 1))
