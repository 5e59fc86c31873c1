"""The rules of the paddle world."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.tasks.paddle_game import (
    LEFT,
    PADDLE,
    RIGHT,
    SIZE,
    SPEEDS,
    STAY,
    PaddleWorld,
    RandomPlayer,
    bounce,
    read_positions,
)
from genai_tutorial.tasks.paddle_game.world import BALL, EPISODE_STEPS


def put(world, **values):
    """Set the state of the first game."""
    for name, value in values.items():
        getattr(world, name)[0] = value


def still(world):
    return torch.full((world.games,), STAY)


def test_world_ball_below_the_paddle_is_caught_and_rises():
    world = PaddleWorld(1)
    put(world, x=5, y=13, vx=1, vy=1, paddle=4)
    step = world.step(still(world))
    assert step.rewards.tolist() == [1.0]
    assert not step.ended.any()
    assert (int(world.x[0]), int(world.y[0]), int(world.vy[0])) == (6, 13, -1)


@pytest.mark.parametrize(
    ("x", "caught"), [(3, False), (4, True), (8, True), (9, False)]
)
def test_world_one_shared_column_is_enough_to_catch(x, caught):
    world = PaddleWorld(1)
    put(world, x=x - 1, y=13, vx=1, vy=1, paddle=5)
    step = world.step(still(world))
    assert step.rewards.tolist() == [1.0 if caught else -1.0]
    assert step.terminated.tolist() == step.ended.tolist() == [not caught]


def test_world_missed_ball_starts_again_in_the_same_step():
    """`last_frames` is the end of the old episode, `frames` the start of the new."""
    world = PaddleWorld(1, seed=4)
    put(world, x=0, y=13, vx=1, vy=1, paddle=10, age=7)
    step = world.step(still(world))
    last, new = read_positions(step.last_frames), read_positions(step.frames)
    assert (int(last.x), int(last.y), int(last.paddle)) == (1, 13, 10)
    assert int(new.y) < 5
    assert int(world.age[0]) == 0
    assert torch.equal(world.frames, step.frames)


def test_world_long_episode_is_cut_off_without_terminating():
    world = PaddleWorld(2)
    put(world, x=5, y=5, vx=1, vy=1, age=EPISODE_STEPS - 1)
    step = world.step(still(world))
    assert step.ended.tolist() == [True, False]
    assert not step.terminated.any()


def test_world_speed_after_the_top_is_drawn_from_all_four():
    world = PaddleWorld(4000)
    world.x[:], world.y[:], world.vx[:], world.vy[:] = 7, 0, 1, -1
    world.step(still(world))
    assert (world.y == 1).all()
    assert (world.vy == 1).all()
    shares = np.array([(world.vx == speed).mean() for speed in SPEEDS])
    assert shares == pytest.approx([0.25] * 4, abs=0.04)


def test_world_same_seed_gives_the_same_games():
    first, again, other = (PaddleWorld(8, seed) for seed in (3, 3, 4))
    actions = torch.randint(3, (60, 8), generator=torch.Generator().manual_seed(0))
    for action in actions:
        one, two = first.step(action), again.step(action)
        other.step(action)
        assert torch.equal(one.frames, two.frames)
        assert torch.equal(one.rewards, two.rewards)
    assert not torch.equal(first.frames, other.frames)


@settings(max_examples=10)
@given(seed=st.integers(0, 2**31), stickiness=st.floats(0, 1))
def test_world_frames_always_show_one_ball_and_one_paddle(seed, stickiness):
    world, player = PaddleWorld(16, seed), RandomPlayer(seed, stickiness)
    first = torch.ones(16, dtype=torch.bool)
    for _ in range(25):
        before = read_positions(world.frames)
        actions = player(world.frames, first)
        step = world.step(actions)
        after = read_positions(step.last_frames)
        assert before.complete.all()
        assert after.complete.all()
        moved = (before.paddle + actions - 1).clamp(0, SIZE - PADDLE)
        assert torch.equal(after.paddle, moved)
        assert ((after.x - before.x).abs() <= 2).all()
        assert torch.equal(step.terminated, step.rewards < 0)


@given(x=st.integers(0, SIZE - BALL), speed=st.sampled_from(SPEEDS))
def test_bounce_keeps_the_ball_inside_and_the_speed(x, speed):
    inside, after = bounce(np.array([x + speed]), np.array([speed]))
    assert 0 <= inside[0] <= SIZE - BALL
    assert abs(after[0]) == abs(speed)
    if 0 <= x + speed <= SIZE - BALL:
        assert (inside[0], after[0]) == (x + speed, speed)


def test_world_refuses_wrong_actions(unchecked):
    world = PaddleWorld(2)
    for actions in ([LEFT], [LEFT, RIGHT + 1]):
        message = rf"one action for each of 2 games, 0 \(left\).*got \{actions}"
        with pytest.raises(ValueError, match=message):
            world.step(torch.tensor(actions))
    with pytest.raises(ValueError, match="at least one game, got 0"):
        PaddleWorld(0)
