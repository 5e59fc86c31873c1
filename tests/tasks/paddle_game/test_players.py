"""The players to compare with, their score, and how positions are read."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genai_tutorial.tasks.paddle_game import (
    PADDLE,
    SIZE,
    ForesightPlayer,
    PaddleWorld,
    RandomPlayer,
    dream_fidelity,
    read_positions,
    reflex_player,
    score_player,
)
from genai_tutorial.tasks.paddle_game.world import BALL, draw
from genai_tutorial.worldmodels import DreamComparison

positions = st.tuples(
    st.integers(0, SIZE - BALL), st.integers(0, SIZE - BALL - 1),
    st.integers(0, SIZE - PADDLE),
)  # fmt: skip


@given(positions)
def test_read_positions_inverts_draw(place):
    x, y, paddle = (torch.tensor(value) for value in place)
    read = read_positions(draw(x, y, paddle).float())
    assert (int(read.x), int(read.y), int(read.paddle)) == place
    assert bool(read.complete)


def test_read_positions_notices_frames_that_are_no_frames():
    one = draw(torch.tensor([5]), torch.tensor([5]), torch.tensor([5]))
    two_balls = one | draw(torch.tensor([9]), torch.tensor([9]), torch.tensor([5]))
    frames = torch.cat([one, two_balls, torch.zeros_like(one)]).float()
    assert read_positions(frames).complete.tolist() == [True, False, False]


def test_random_player_sticks_to_its_last_button():
    frames, first = torch.zeros(2000, SIZE, SIZE), torch.ones(2000, dtype=torch.bool)
    for stickiness, expected in ((0.0, 1 / 3), (0.7, 0.8), (1.0, 1.0)):
        player = RandomPlayer(0, stickiness)
        same = (player(frames, first) == player(frames, first)).float().mean()
        assert float(same) == pytest.approx(expected, abs=0.04)


def test_foresight_player_knows_where_the_ball_will_land():
    """From its second frame on, and until the next bounce at the top."""
    world, player = PaddleWorld(500, seed=1), ForesightPlayer()
    frames, first = world.frames, torch.ones(500, dtype=torch.bool)
    caught = missed = 0
    for _ in range(12):
        step = world.step(player(frames, first))
        caught += int((step.rewards > 0).sum())
        missed += int((step.rewards < 0).sum())
        frames, first = step.frames, step.ended
    assert caught > 250
    # nobody reaches a ball that lands eight steps later on the other side
    assert missed < 0.05 * caught


def test_score_orders_random_reflex_and_foresight():
    random, reflex, foresight = (
        score_player(player, games=256)
        for player in (RandomPlayer(0), reflex_player, ForesightPlayer())
    )
    assert random.interval().high < reflex.interval().low
    assert reflex.interval().high < foresight.mean_catches
    assert foresight.mean_catches > 4.8


def test_score_counts_one_episode_per_game():
    """Whoever never moves has a return one below its catches, unless it survives."""
    score = score_player(
        lambda frames, first: torch.ones(len(frames), dtype=torch.int64), games=300
    )
    assert set(score.misses.tolist()) <= {0, 1}
    assert score.misses.sum() > 270
    assert score.mean_catches < 1.2


def film(xs, ys, paddle=6):
    frames = draw(
        torch.tensor(xs), torch.tensor(ys), torch.full((len(xs),), paddle)
    ).float()
    return frames[:, None]


def side_by_side(xs, ys, dreamed_xs):
    """Three frames are seen; what follows is dreamed."""
    real = film(xs, ys)
    return DreamComparison(
        real[:3],
        real[3:],
        film(dreamed_xs, ys[3:]),
        torch.ones(len(dreamed_xs), 1, dtype=torch.int64),
    )


def test_fidelity_measures_pixels_and_distance():
    fidelity = dream_fidelity(
        side_by_side([1, 2, 3, 4, 5, 6], [2, 3, 4, 5, 6, 7], [4, 5, 9])
    )
    assert fidelity.share_exact().tolist() == [1.0, 1.0, 0.0]
    assert fidelity.mean_distance().tolist() == [0.0, 0.0, 3.0]
    assert fidelity.predictable.all()


def test_fidelity_a_bounce_after_the_last_seen_frame_is_chance():
    """The ball touches the top in the second dreamed frame; where it goes shows in the
    fourth.
    """
    xs, ys = [4, 5, 6, 7, 8, 9, 7, 5], [4, 3, 2, 1, 0, 1, 2, 3]
    fidelity = dream_fidelity(side_by_side(xs, ys, [7, 8, 9, 10, 11]))
    assert fidelity.predictable[:, 0].tolist() == [True, True, True, False, False]
    assert fidelity.share_exact(fidelity.predictable)[:3].tolist() == [1.0, 1.0, 1.0]
    assert fidelity.share_exact(~fidelity.predictable)[3:].tolist() == [0.0, 0.0]
    assert fidelity.share_exact(fidelity.predictable)[3:].isnan().all()
    assert fidelity.mean_distance(~fidelity.predictable)[3:].tolist() == [3.0, 6.0]


@pytest.mark.parametrize(
    ("xs", "ys", "predictable"),
    [
        ([5, 6, 7, 5, 3], [1, 0, 1, 2, 3], False),  # it bounces in the last seen frame
        ([6, 7, 5, 3, 1], [0, 1, 2, 3, 4], True),  # its direction after it was seen
    ],
)
def test_fidelity_a_bounce_is_chance_until_its_direction_is_seen(xs, ys, predictable):
    fidelity = dream_fidelity(side_by_side(xs, ys, xs[3:]))
    assert fidelity.predictable.tolist() == [[predictable]] * 2
