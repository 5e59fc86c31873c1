"""REINVENT's loss against the KL-optimal policy, and a run on a toy score."""

from statistics import fmean

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genai_tutorial.science.molecules import (
    SteeringSettings,
    augmented_likelihood_loss,
    steer,
    steering,
)

pytest.importorskip("rdkit")

PRIOR = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
numbers = st.lists(st.floats(0, 1), min_size=3, max_size=3)


def nitrogen_share(samples):
    return torch.tensor([s.count("N") / max(len(s), 1) for s in samples])


@given(numbers, st.floats(0.5, 20))
def test_loss_of_the_kl_optimal_policy_is_the_squared_log_normalizer(scores, sigma):
    """On three molecules: the optimum differs from REINVENT's target by log Z only."""
    scores = torch.tensor(scores, dtype=torch.float64)
    weighted = PRIOR * (sigma * scores).exp()
    optimal, normalizer = weighted / weighted.sum(), weighted.sum()
    loss = augmented_likelihood_loss(optimal.log(), PRIOR.log(), scores, sigma)
    assert float(loss) == pytest.approx(float(normalizer.log() ** 2), abs=1e-6)


def test_loss_is_the_published_square():
    log_probs, prior = torch.tensor([-9.0, -4.0]), torch.tensor([-20.0, -5.0])
    scores = torch.tensor([0.5, 0.1])
    target = prior + 60 * scores
    expected = (target - log_probs).square().mean()
    loss = augmented_likelihood_loss(log_probs, prior, scores, sigma=60)
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.slow
def test_steer_raises_the_score_and_leaves_the_prior_alone(chains, monkeypatch):
    monkeypatch.setattr(steering, "LEARNING_RATE", 0.01)
    before = {k: v.clone() for k, v in chains.decoder.state_dict().items()}
    run = steer(chains, nitrogen_share, SteeringSettings(40, batch_size=32, sigma=40))
    first = run.steps[0]
    assert first.score < 0.5 < fmean(step.score for step in run.steps[-10:])
    assert abs(first.kl) < 1e-4 < run.steps[-1].kl
    for name, value in chains.decoder.state_dict().items():
        assert torch.equal(value, before[name])


def test_steer_is_repeatable(chains):
    settings = SteeringSettings(steps=2, batch_size=4)
    one, two = (steer(chains, nitrogen_share, settings) for _ in range(2))
    assert one.steps == two.steps
    other = steer(chains, nitrogen_share, SteeringSettings(2, 4, seed=1))
    assert one.steps[0].samples != other.steps[0].samples


def test_steer_reports_the_score_before_the_filter(chains):
    settings = SteeringSettings(steps=2, batch_size=8)
    run = steer(chains, nitrogen_share, settings, lambda samples, scores: 0 * scores)
    assert run.steps[0].score == pytest.approx(
        float(nitrogen_share(run.steps[0].samples).mean())
    )


@pytest.mark.parametrize("name", ["steps", "batch_size", "sigma"])
def test_settings_reject_nonsense(name):
    with pytest.raises(ValueError, match=f"must be at least 1.*{name}=0"):
        SteeringSettings(**{name: 0})
