import pytest
import torch

from genai_tutorial.alignment import (
    CISPO,
    DAPO,
    GRPO,
    GSPO,
    RLOO,
    DrGRPO,
    group_relative_advantages,
    grpo_loss,
)
from tests.alignment.models import normal


def test_group_relative_advantages_stay_within_the_group():
    scores = torch.tensor([[10.0, 11.0, 9.0, 10.0], [0.0, 1.0, -1.0, 0.0]])
    found = group_relative_advantages(scores)
    torch.testing.assert_close(found[0], found[1])
    torch.testing.assert_close(found.mean(dim=1), torch.zeros(2))
    torch.testing.assert_close(found.std(dim=1), torch.ones(2), atol=1e-3, rtol=0)


def test_group_relative_advantages_epsilon_is_trls():
    scores = torch.tensor([[1.0, 0.0, -1.0]])  # times 1e-4, it has that deviation
    found = group_relative_advantages(1e-4 * scores)
    torch.testing.assert_close(found, 0.5 * scores, atol=1e-4, rtol=0)


def test_grpo_kl_weight_zero_ignores_the_reference():
    new, old = normal(2, 3), normal(2, 3, seed=1)
    mask = torch.ones(2, 3, dtype=torch.bool)
    losses = [
        grpo_loss(new, old, normal(2, 3, seed=seed), normal(2), mask, 0.2, 0)
        for seed in (2, 3)
    ]
    assert losses[0] == losses[1]


def test_grpo_loss_needs_an_answer_in_each_row():
    mask = torch.zeros(2, 3, dtype=torch.bool)
    with pytest.raises(ValueError, match="Each row needs an answer"):
        grpo_loss(*normal(3, 2, 3), normal(2), mask, 0.2, 0.1)


# A right answer of one token and a wrong one of three.
MASK = torch.tensor([[True, False, False], [True, True, True]])
ADVANTAGES = torch.tensor([1.0, -1.0])
METHODS = [GRPO(), DrGRPO(max_tokens=4), DAPO(), RLOO(), GSPO(), CISPO()]


def gradient(method, log_probs, old):
    log_probs = log_probs.clone().requires_grad_()
    method.loss(log_probs, old, ADVANTAGES, MASK).backward()
    return log_probs.grad


def on_policy(method):
    log_probs = torch.full((2, 3), -1.0)
    return gradient(method, log_probs, log_probs)


@pytest.mark.parametrize("method", METHODS)
def test_loss_raises_right_tokens_and_lowers_wrong_ones(method):
    push = on_policy(method)
    assert push[0, 0] < 0
    assert (push[1] > 0).all()
    assert (push[0, 1:] == 0).all()


def test_leave_one_out_compares_with_the_others():
    scores = torch.tensor([[3.0, 1.0, 2.0]])
    assert RLOO().advantages(scores).tolist() == [[1.5, -1.5, 0.0]]
    assert DrGRPO(4).advantages(scores).tolist() == [[1.0, -1.0, 0.0]]


@pytest.mark.parametrize("method", METHODS)
def test_advantages_of_a_dead_group_are_zero(method):
    assert method.advantages(torch.ones(2, 4)).abs().sum() == 0
