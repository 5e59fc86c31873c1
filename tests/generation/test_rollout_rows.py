"""Rows of rollouts, selected and joined."""

from dataclasses import replace

import pytest
import torch

from genai_tutorial.generation import Rollouts, join_rollouts, select_rollouts

ONE = Rollouts(
    torch.tensor([[5, 6, 1, 0, 0], [5, 6, 7, 8, 1]]),
    torch.tensor([1, 1]),
    torch.tensor([3, 5]),
    torch.tensor([True, True]),
    torch.tensor([[-1.0, -2.0, 0.0, 0.0], [-1.0, -1.0, -1.0, -1.0]]),
)


def test_select_rollouts_drops_positions_that_are_padding_in_all_rows():
    part = select_rollouts(ONE, torch.tensor([0, 0]))
    assert part.ids.tolist() == [[5, 6, 1]] * 2
    assert part.log_probs.tolist() == [[-1.0, -2.0]] * 2
    assert part.answers() == [[6]] * 2


def test_join_rollouts_pads_to_the_longest_row():
    short = select_rollouts(ONE, torch.tensor([0]))
    joined = join_rollouts([short, ONE])
    assert joined.ids.shape == (3, 5)
    assert joined.answers() == [[6], [6], [6, 7, 8]]
    assert joined.log_probs[0].tolist() == [-1.0, -2.0, 0.0, 0.0]
    assert joined.stopped is None


def test_rows_keep_whether_an_answer_was_stopped():
    stopped = replace(ONE, stopped=torch.tensor([False, True]))
    assert join_rollouts([stopped, stopped]).stopped.tolist() == [False, True] * 2
    assert select_rollouts(stopped, torch.tensor([1])).stopped.tolist() == [True]


def test_join_rollouts_needs_a_part():
    with pytest.raises(ValueError, match="at least one part"):
        join_rollouts([])
