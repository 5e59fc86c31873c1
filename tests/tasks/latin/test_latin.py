"""All Latin squares, their solvers, and puzzles for a left-to-right model."""

import math

import pytest
import torch

from genai_tutorial.diffusion import mask_tokens
from genai_tutorial.recipes import LATIN_LEFT_TO_RIGHT, held_out_puzzles
from genai_tutorial.tasks.latin import (
    OPEN,
    CountingDenoiser,
    all_squares,
    backtrack,
    fill_single_candidates,
    is_latin,
    latin_split,
    left_to_right_loss,
    solve_left_to_right,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("order", "count"), [(1, 1), (2, 2), (3, 12), (4, 576)])
def test_all_squares_are_different_latin_squares(order, count):
    squares = all_squares(order)
    assert squares.shape == (count, order**2)
    assert len(squares.unique(dim=0)) == count
    assert is_latin(squares).all()
    with pytest.raises(ValueError, match="from 1 to 5, got 6"):
        all_squares(6)


def test_split_of_order_five_has_no_square_in_both_parts():
    assert len(all_squares()) == 161_280
    training, held_out = latin_split()
    assert (training.shape, held_out.shape) == ((40_000, 25), (300, 25))
    assert is_latin(held_out).all()
    both = torch.cat([training, held_out])
    assert len(both.unique(dim=0)) == len(both)


def test_is_latin_sees_a_wrong_row_and_a_wrong_column():
    square = all_squares(3)[0]
    rows, columns = square.clone(), square.clone()
    rows[[0, 3]] = square[[3, 0]]  # exchanged in a column
    columns[[0, 1]] = square[[1, 0]]
    assert is_latin(torch.stack([square, rows, columns])).tolist() == [
        True,
        False,
        False,
    ]


def test_beginner_solves_what_has_single_candidates_only():
    assert fill_single_candidates(torch.tensor([[1, 0, 0, 0]])).tolist() == [
        [1, 2, 2, 1]
    ]
    open_square = torch.zeros(1, 9, dtype=torch.long)
    assert torch.equal(fill_single_candidates(open_square), open_square)


def test_backtrack_solves_every_puzzle_and_keeps_its_clues():
    for puzzle in held_out_puzzles(6)[:20]:
        solution = backtrack(puzzle)
        assert is_latin(solution[None]).all()
        assert torch.equal(solution[puzzle != OPEN], puzzle[puzzle != OPEN])
    assert backtrack(torch.tensor([1, 1, 0, 0])) is None


def test_counting_denoiser_by_hand():
    """In order 3, a neighbour of a 1 in its row is a 2 or a 3."""
    shares = CountingDenoiser(3)(torch.tensor([[1] + [OPEN] * 8])).exp()[0]
    assert shares[0].tolist() == pytest.approx([0, 1, 0, 0])
    assert shares[1].tolist() == pytest.approx([0, 0, 0.5, 0.5])
    assert shares[4].tolist() == pytest.approx([0, 0.5, 0.25, 0.25])
    lost = CountingDenoiser(2)(torch.tensor([[1, 1, 0, 0]])).exp()
    assert lost[0, 2].tolist() == pytest.approx([0, 0.5, 0.5])


def test_left_to_right_model_copies_clues_and_its_cache_changes_nothing():
    model = LATIN_LEFT_TO_RIGHT.build()
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(0, 0.5, generator=seeded())
    puzzles = held_out_puzzles(8)[:5]
    written = solve_left_to_right(model, puzzles)
    expected = puzzles.clone()
    for cell in range(25):
        rows = torch.cat([puzzles, expected[:, :cell]], dim=1)
        guess = model(rows)[:, -1, 1:].argmax(dim=-1) + 1
        expected[:, cell] = torch.where(
            puzzles[:, cell] == OPEN, guess, puzzles[:, cell]
        )
    assert torch.equal(written, expected)
    drawn = solve_left_to_right(model, puzzles, seeded())
    assert not torch.equal(drawn, written)
    assert torch.equal(drawn[puzzles != OPEN], puzzles[puzzles != OPEN])


def test_left_to_right_loss_of_a_model_that_knows_nothing():
    """All output layers start at zero, so the six tokens are equally likely."""
    squares, _ = latin_split()
    loss = left_to_right_loss(LATIN_LEFT_TO_RIGHT.build(), squares[:8], seeded())
    assert loss.item() == pytest.approx(math.log(6), abs=1e-5)


def test_held_out_puzzles_have_their_number_of_clues():
    puzzles = held_out_puzzles(6)
    assert ((puzzles != OPEN).sum(dim=1) == 6).all()
    assert torch.equal(puzzles, held_out_puzzles(6))
    _, squares = latin_split()
    assert torch.equal(
        puzzles, mask_tokens(squares, torch.tensor([19] * 300), OPEN, seeded(6))
    )
    with pytest.raises(ValueError, match="clues must be from 0 to 24, got 25"):
        held_out_puzzles(25)
