"""What is masked again, and which measurements the record has."""

import pytest
import torch

from benchmarks.text_diffusion import conflicts, mean, spreads
from genai_tutorial.runtime import record
from genai_tutorial.tasks.latin import all_squares, latin_split


def test_conflicts_are_the_cells_that_occur_twice():
    square = all_squares()[0]
    assert not conflicts(square[None]).any()
    wrong = square.clone()
    wrong[0] = square[1]
    found = conflicts(wrong[None])[0].nonzero().flatten().tolist()
    column = [5 * row for row in range(5) if square[5 * row] == square[1]]
    assert found == sorted([0, 1, *column])


def test_number_of_masks_has_the_smallest_spread():
    _, squares = latin_split()

    def uniform(tokens):
        return torch.zeros(*tokens.shape, 6)

    found = spreads(uniform, squares, small=False)
    # the loss times length / masks is the same for every draw
    assert found["number"] == pytest.approx(0, abs=1e-4)
    assert min(found["time"], found["time, spread"]) > 1


def test_record_has_five_seeds_of_the_squares():
    study = record("text_diffusion")
    assert sorted(study["squares"]) == ["0", "1", "2", "3", "4"]
    assert len(study["plays"]) >= 3
    for run in study["squares"].values():
        assert run["items"] == 300
        assert run["nats"]["truth"] == pytest.approx(11.9909, abs=1e-3)


def test_mean_of_flags_is_a_share():
    assert mean(torch.tensor([True, False, False, True])) == 0.5
