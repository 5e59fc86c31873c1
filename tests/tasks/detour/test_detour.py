"""Demonstrations pass the obstacle, their mean does not, and the course is solvable."""

import pytest
import torch

from genai_tutorial.tasks.detour import (
    correct_moves,
    crashes,
    demonstrate_course,
    draw_paths,
    run_course,
)


def generator():
    return torch.Generator().manual_seed(0)


def test_demonstrations_pass_and_their_mean_crashes_at_one_half():
    paths, starts = draw_paths(400, 0.5, generator())
    assert not crashes(paths).any()
    assert crashes(paths.mean(0, keepdim=True)).all()
    assert starts.abs().max() <= 0.2


def test_share_left_is_the_share_that_passes_on_the_left():
    paths, _ = draw_paths(2000, 0.9, generator())
    assert abs((paths[:, 8, 0] < 0).float().mean() - 0.9) < 0.03
    assert not crashes(paths.mean(0, keepdim=True)).any()
    with pytest.raises(ValueError, match="share_left"):
        draw_paths(2, 1.5, generator())


def test_demonstrator_arrives_in_spite_of_gusts():
    assert run_course(correct_moves, 200, generator()).arrived.float().mean() > 0.95
    still = run_course(lambda states: torch.zeros(len(states), 2), 20, generator())
    assert not still.arrived.any()
    with pytest.raises(ValueError, match="runs must be"):
        run_course(correct_moves, 0, generator())


def test_demonstrator_passes_on_the_side_that_it_is_told():
    told = torch.tensor([-1.0, 1.0]).repeat(10)
    result = run_course(
        lambda s: correct_moves(s, told), 20, generator(), 0.0, moves=44
    )
    assert result.states.shape == (20, 44, 3)
    assert result.arrived.all()
    passing = result.states[torch.arange(20), result.states[:, :, 1].abs().argmin(1)]
    assert torch.equal((passing[:, 0] - passing[:, 2]).sign(), told)


def test_noise_widens_the_states_and_leaves_the_labels_correct():
    plain, _ = demonstrate_course(50, generator())
    noisy, moves = demonstrate_course(50, generator(), noise=0.06)
    assert noisy[:, 0].std() > plain[:, 0].std()
    assert torch.equal(moves, correct_moves(noisy))
