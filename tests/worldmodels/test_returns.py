import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genai_tutorial.alignment import generalized_advantage_estimate
from genai_tutorial.worldmodels import ReturnScale, lambda_returns

SHARES = st.floats(0, 1, width=32)


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@given(discount=SHARES, decay=SHARES, seed=st.integers(0, 1000))
def test_lambda_returns_are_generalized_advantages_plus_values(discount, decay, seed):
    """The value after the last step enters the other function as a last reward."""
    rewards, values = normal(6, 3, seed=seed), normal(7, 3, seed=seed + 1)
    found = lambda_returns(rewards, values, torch.ones(6, 3), discount, decay)
    advantages = generalized_advantage_estimate(
        torch.cat([rewards, values[-1:]]).T,
        values.T,
        torch.ones(3, 7, dtype=torch.bool),
        discount,
        decay,
    )
    assert torch.allclose(found, advantages.T[:-1] + values[:-1], atol=1e-5)


def test_lambda_returns_by_hand():
    rewards = torch.tensor([1.0, 0.0, 2.0])
    values = torch.tensor([9.0, 4.0, 8.0, 6.0])
    found = lambda_returns(rewards, values, torch.ones(3), discount=0.5, decay=0.5)
    # from the end: 2 + 0.5 * 6 = 5, then 0.5 * (4 + 2.5), then 1 + 0.5 * (2 + 1.625)
    assert found.tolist() == [2.8125, 3.25, 5.0]


def test_lambda_returns_count_nothing_after_an_end():
    rewards, values = normal(5, 2), normal(6, 2, seed=1)
    continues = torch.ones(5, 2)
    continues[2] = 0
    found = lambda_returns(rewards, values, continues)
    assert torch.equal(found[2], rewards[2])
    changed = rewards.clone()
    changed[3:] += 100
    assert torch.equal(found[:3], lambda_returns(changed, values, continues)[:3])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"discount": 1.1}, "discount must be from 0 to 1, got 1.1"),
        ({"decay": -0.1}, "decay must be from 0 to 1"),
        ({"values": torch.zeros(2)}, "2 steps need 3 values"),
    ],
)
def test_lambda_returns_refuse(arguments, message):
    given = {
        "rewards": torch.zeros(2),
        "values": torch.zeros(3),
        "continues": torch.ones(2),
    }
    with pytest.raises(ValueError, match=message):
        lambda_returns(**(given | arguments))


def test_return_scale_ignores_outliers():
    returns = torch.cat([torch.linspace(0, 1, 99), torch.tensor([1e6])])
    assert ReturnScale().update(returns) < 1


def test_return_scale_averages_and_is_never_below_the_smallest():
    scale = ReturnScale(decay=0.5, smallest=0.3)
    assert scale.update(torch.zeros(4)) == pytest.approx(0.3)
    assert scale.update(torch.linspace(0, 1, 101)) == pytest.approx(0.6)
