"""Chunks end with their episode, and the ensemble looks at the present move."""

import pytest
import torch

from genai_tutorial.policies import make_chunks, temporal_ensemble


def test_chunks_hold_the_moves_from_each_time_on():
    moves = torch.arange(10.0).view(5, 2)
    chunks, inside = make_chunks(moves, 3)
    assert torch.equal(chunks[1], moves[1:4])
    assert inside.sum(1).tolist() == [3, 3, 3, 2, 1]
    assert chunks[~inside].abs().sum() == 0


def test_ensemble_reads_the_present_move_of_each_chunk_that_reaches_it():
    chunks = [torch.full((1, 2, 1), float(k)) for k in range(5)]
    assert temporal_ensemble(chunks, rate=0.0).item() == 3.5  # chunks 3 and 4
    assert temporal_ensemble(chunks, rate=1.0).item() < 3.5  # the older weighs more


def test_wrong_arguments_raise():
    with pytest.raises(ValueError, match="at least one move"):
        make_chunks(torch.zeros(3, 2), 0)
    with pytest.raises(ValueError, match="at least one chunk"):
        temporal_ensemble([])
