"""How dreams of the paddle world are compared with reality."""

import torch

from genai_tutorial.tasks.paddle_game import dream_fidelity
from genai_tutorial.tasks.paddle_game.world import draw
from genai_tutorial.worldmodels import DreamComparison


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


def test_fidelity_a_bounce_in_the_last_seen_frame_is_chance_at_once():
    xs, ys = [5, 6, 7, 5, 3], [1, 0, 1, 2, 3]
    fidelity = dream_fidelity(side_by_side(xs, ys, [5, 3]))
    assert not fidelity.predictable.any()


def test_fidelity_a_bounce_whose_direction_was_seen_is_no_chance():
    xs, ys = [6, 7, 5, 3, 1], [0, 1, 2, 3, 4]
    fidelity = dream_fidelity(side_by_side(xs, ys, [3, 1]))
    assert fidelity.predictable.all()
