import pytest
import torch

from genai_tutorial.alignment import (
    generalized_advantage_estimate,
    token_rewards,
    whiten,
)
from genai_tutorial.alignment.experience import kl_k1, kl_k3
from genai_tutorial.alignment.ppo import adapted_kl_weight
from tests.alignment.models import normal


def runs(batch, steps, seed):
    """A mask with one run of True in each row, somewhere."""
    generator = torch.Generator().manual_seed(seed)
    starts = torch.randint(0, steps - 1, (batch, 1), generator=generator)
    lengths = torch.randint(1, steps, (batch, 1), generator=generator)
    places = torch.arange(steps)
    return (places >= starts) & (places < starts + lengths)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("discount", [1.0, 0.9])
@pytest.mark.parametrize("decay", [0.0, 0.5, 0.95, 1.0])
def test_gae_is_the_discounted_sum_of_later_surprises(decay, discount, seed):
    rewards, values = normal(4, 7, seed=seed), normal(4, 7, seed=seed + 10)
    mask = runs(4, 7, seed)
    found = generalized_advantage_estimate(rewards, values, mask, discount, decay)
    for row in range(4):
        steps = [step for step in range(7) if mask[row, step]]
        # nothing comes after the answer
        v = [float(values[row, step]) for step in steps] + [0.0]
        surprises = [
            float(rewards[row, step]) + discount * v[i + 1] - v[i]
            for i, step in enumerate(steps)
        ]
        for i, step in enumerate(steps):
            # Equation 16 as it stands, without the recursion.
            expected = sum(
                (discount * decay) ** (k - i) * surprises[k]
                for k in range(i, len(steps))
            )
            assert float(found[row, step]) == pytest.approx(expected, abs=1e-5)
        assert not found[row][~mask[row]].any()


def test_gae_ignores_masked_steps():
    mask = torch.tensor([[False, True, True, False]])
    dirty = torch.tensor([[torch.nan, 1.0, 2.0, torch.inf]])
    clean = dirty.masked_fill(~mask, 0.0)
    found = generalized_advantage_estimate(dirty, dirty, mask)
    assert torch.equal(found, generalized_advantage_estimate(clean, clean, mask))


@pytest.mark.parametrize(("discount", "decay"), [(1.1, 0.9), (0.9, -0.1)])
def test_gae_discount_and_decay_must_be_at_most_one(discount, decay):
    rewards, mask = normal(1, 2), runs(1, 2, 0)
    with pytest.raises(ValueError, match="must be from 0 to 1"):
        generalized_advantage_estimate(rewards, rewards, mask, discount, decay)


@pytest.mark.parametrize("seed", range(3))
def test_whiten_gives_mean_zero_and_variance_one(seed):
    numbers, mask = 5 + 3 * normal(4, 6, seed=seed), runs(4, 6, seed)
    found = whiten(numbers, mask)
    assert float(found[mask].mean()) == pytest.approx(0, abs=1e-5)
    assert float(found[mask].std()) == pytest.approx(1, abs=1e-5)
    assert not found[~mask].any()
    # Scale and offset of the rewards do not matter any more.
    scaled = whiten(10 * numbers - 7, mask)
    torch.testing.assert_close(scaled, found, atol=1e-4, rtol=1e-4)


def test_whiten_needs_two_steps():
    with pytest.raises(ValueError, match="at least two steps"):
        whiten(normal(1, 2), torch.tensor([[True, False]]))


def test_kl_estimates_are_unbiased_and_k3_is_nonnegative():
    p, q = normal(6).log_softmax(0), normal(6, seed=1).log_softmax(0)
    exact = float((p.exp() * (p - q)).sum())
    for estimate in (kl_k1, kl_k3):
        assert float((p.exp() * estimate(p, q)).sum()) == pytest.approx(exact, abs=1e-6)
    assert kl_k1(p, q).min() < 0 <= kl_k3(p, q).min()


def test_kl_k3_has_lower_variance_for_similar_policies():
    p = normal(6).log_softmax(0)
    q = (p + 0.1 * normal(6, seed=1)).log_softmax(0)
    spread = [
        float((p.exp() * (f(p, q) - (p.exp() * (p - q)).sum()).square()).sum())
        for f in (kl_k1, kl_k3)
    ]
    assert spread[1] < spread[0] / 100


@pytest.mark.parametrize("seed", range(3))
def test_token_rewards_sum_to_score_minus_kl_price(seed):
    scores, kl = normal(4, seed=seed), normal(4, 7, seed=seed + 10)
    mask = runs(4, 7, seed)
    expected = torch.where(mask, -0.3 * kl, 0.0)
    for row in range(4):
        expected[row, mask[row].nonzero().max()] += scores[row]
    torch.testing.assert_close(token_rewards(scores, kl, mask, 0.3), expected)


def test_token_rewards_need_a_token_per_answer():
    kl = torch.zeros(1, 3)
    with pytest.raises(ValueError, match="Each row needs an answer"):
        token_rewards(torch.ones(1), kl, kl.bool(), 0.1)


def test_adapted_kl_weight_rises_above_the_target_and_falls_below_it():
    assert adapted_kl_weight(0.5, kl=6.6, target=6) == pytest.approx(0.5 * 1.01)
    assert adapted_kl_weight(0.5, kl=5.4, target=6) == pytest.approx(0.5 * 0.99)
    # however far it is
    assert adapted_kl_weight(0.5, kl=600, target=6) == pytest.approx(0.5 * 1.02)
    assert adapted_kl_weight(0.5, kl=-3, target=6) == pytest.approx(0.5 * 0.98)


def test_adapted_kl_weight_converges_to_the_target():
    # A policy that goes 2 / price nats far: the price for a target of 4 nats is 1/2.
    weight = 0.1
    for _ in range(400):
        weight = adapted_kl_weight(weight, kl=2 / weight, target=4)
    assert weight == pytest.approx(0.5, abs=1e-3)
