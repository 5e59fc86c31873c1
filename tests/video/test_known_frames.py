"""Clips whose first frames are known, and the timesteps of clips."""

import pytest
import torch

from genai_tutorial.video import KnownFrames, draw_known_frames, logit_normal_timesteps


def test_known_frames_enter_clean_with_timestep_0():
    x, frames = torch.randn(2, 4, 1, 3, 3), torch.randn(2, 1, 1, 3, 3)
    seen = {}

    def model(x, t, condition):
        seen.update(x=x, t=t, condition=condition)
        return x

    KnownFrames(model, frames)(x, torch.tensor([500.0, 500.0]), "caption")
    assert torch.equal(seen["x"][:, :1], frames)
    assert torch.equal(seen["x"][:, 1:], x[:, 1:])
    assert seen["t"].tolist() == [[0, 500, 500, 500]] * 2
    assert seen["condition"] == "caption"


def test_draw_known_frames_gives_away_first_frames_of_a_share_of_the_clips():
    generator = torch.Generator().manual_seed(0)
    known = draw_known_frames(2000, 8, 0.3, generator)
    counts = known.sum(dim=1)
    assert torch.equal(known, torch.arange(8) < counts[:, None])
    assert (counts > 0).float().mean() == pytest.approx(0.3, abs=0.04)
    assert set(counts.tolist()) == {0, 1, 2, 3, 4}
    assert not draw_known_frames(100, 8, 0.0, generator).any()


def test_logit_normal_timesteps_avoid_both_ends():
    generator = torch.Generator().manual_seed(0)
    t = logit_normal_timesteps(20_000, 1000, 0.7, 1.0, generator)
    assert torch.equal(t, t.floor())
    assert 0 <= t.min() < t.max() <= 999
    inside = ((t > 400) & (t < 920)).float().mean()
    assert inside == pytest.approx(0.82, abs=0.02)  # of 1.0 by the normal distribution
    assert t.median() == pytest.approx(1000 / (1 + 2.71828**-0.7), abs=10)
    with pytest.raises(ValueError, match="deviation must be above 0, got 0"):
        logit_normal_timesteps(1, 1000, 0, 0, generator)
