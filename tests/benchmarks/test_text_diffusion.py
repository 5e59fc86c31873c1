"""What is masked again, and which measurements the record has."""

import pytest
import torch

from benchmarks.text_diffusion import beam, conflicts, legal, mean, spreads
from genai_tutorial.diffusion import mask_tokens
from genai_tutorial.runtime import record
from genai_tutorial.tasks.latin import OPEN, all_squares, latin_split


def test_conflicts_are_the_cells_that_occur_twice():
    square = all_squares()[0]
    assert not conflicts(square[None]).any()
    wrong = square.clone()
    wrong[0] = square[1]
    found = conflicts(wrong[None])[0].nonzero().flatten().tolist()
    column = [5 * row for row in range(5) if square[5 * row] == square[1]]
    assert found == sorted([0, 1, *column])


def test_legal_number_of_a_single_open_cell_is_its_own():
    square = all_squares()[7].clone()
    number, square[12] = int(square[12]), OPEN
    assert legal(square[None])[0, 12].nonzero().flatten().tolist() == [number]


def test_beams_without_a_model_need_the_rules():
    generator = torch.Generator().manual_seed(0)
    squares = latin_split()[1]
    puzzles = mask_tokens(squares, torch.full((len(squares),), 4), OPEN, generator)
    assert beam(None, puzzles, 5, True, generator)[:, 0].all()
    assert beam(None, puzzles, 5, False, generator)[:, 0].double().mean() < 0.1


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
    assert sorted(study["legal"]) == sorted(study["parity"]) == sorted(study["squares"])
    assert len(study["plays"]) >= 3
    for run in study["squares"].values():
        assert run["items"] == 300
        assert run["nats"]["truth"] == pytest.approx(11.9909, abs=1e-3)


def test_mean_of_flags_is_a_share():
    assert mean(torch.tensor([True, False, False, True])) == 0.5
