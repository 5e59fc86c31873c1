import math

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


def test_grpo_divides_by_the_length_of_each_answer():
    push = on_policy(GRPO())
    assert push[0, 0] == pytest.approx(-1 / 2)
    assert push[1, 0] == pytest.approx(1 / 2 / 3)


def test_dr_grpo_weighs_all_tokens_alike_whatever_the_length():
    push = on_policy(DrGRPO(max_tokens=4))
    assert push[0, 0] == pytest.approx(-1 / 2 / 4)
    assert push[1, 0] == pytest.approx(1 / 2 / 4)


def test_dapo_divides_by_the_tokens_of_the_batch():
    push = on_policy(DAPO())
    assert push[0, 0] == pytest.approx(-1 / 4)
    assert push[1, 0] == pytest.approx(1 / 4)


def test_dapo_clips_a_rise_later_than_a_fall():
    old = torch.zeros(2, 3)
    rise = torch.full((2, 3), 1.25).log()
    assert gradient(GRPO(), rise, old)[0, 0] == 0
    assert gradient(DAPO(), rise, old)[0, 0] != 0
    fall = torch.full((2, 3), 0.75).log()
    assert (gradient(DAPO(), fall, old)[1] == 0).all()


def test_rloo_clips_by_the_ratio_of_the_whole_answer():
    old = torch.zeros(2, 3)
    fall = torch.full((2, 3), 0.9).log()  # 0.9 ** 3 is below 0.8
    push = gradient(RLOO(), fall, old)
    assert (push[1] == 0).all()
    assert push[0, 0] != 0


def test_gspo_clips_by_the_mean_ratio_of_the_answer():
    old = torch.zeros(2, 3)
    one_fell = torch.tensor([[0.0, 0, 0], [math.log(0.6), 0, 0]])  # mean above 0.8
    assert (gradient(GSPO(0.2, 0.2), one_fell, old)[1] != 0).all()
    assert gradient(GRPO(), one_fell, old)[1, 0] == 0
    all_fell = torch.full((2, 3), 0.75).log()
    assert (gradient(GSPO(0.2, 0.2), all_fell, old)[1] == 0).all()


def test_cispo_never_stops_a_gradient():
    old = torch.zeros(2, 3)
    far = torch.full((2, 3), 9.0).log()
    push = gradient(CISPO(max_ratio=5.0), far, old)
    assert push[0, 0] == pytest.approx(-5 / 4)
    assert gradient(GRPO(), far, old)[0, 0] == 0


def test_on_policy_gspo_is_grpo_and_cispo_is_dapo():
    for new, known in ((GSPO(), GRPO()), (CISPO(), DAPO())):
        torch.testing.assert_close(on_policy(new), on_policy(known))


def test_leave_one_out_compares_with_the_others():
    scores = torch.tensor([[3.0, 1.0, 2.0]])
    assert RLOO().advantages(scores).tolist() == [[1.5, -1.5, 0.0]]
    assert DrGRPO(4).advantages(scores).tolist() == [[1.0, -1.0, 0.0]]


@pytest.mark.parametrize("method", METHODS)
def test_advantages_of_a_dead_group_are_zero(method):
    assert method.advantages(torch.ones(2, 4)).abs().sum() == 0
