import math

import pytest
import torch

from genai_tutorial.alignment import (
    ipo_losses,
    kto_losses,
    orpo_losses,
    simpo_losses,
)
from tests.alignment.models import normal


def gradients(loss, *numbers):
    """The gradients with respect to the chosen and the rejected answer."""
    pair = [torch.tensor([number], requires_grad=True) for number in numbers]
    loss(*pair).sum().backward()
    return [one.grad.item() for one in pair]


def test_ipo_pulls_a_pair_back_that_went_too_far():
    zero = torch.zeros(1)

    def loss(chosen, rejected):
        return ipo_losses(chosen, rejected, zero, zero, beta=0.5)

    assert gradients(loss, 0.5, 0.0) == [-1.0, 1.0]  # short of one nat
    assert gradients(loss, 1.0, 0.0) == [0.0, 0.0]
    assert gradients(loss, 2.0, 0.0) == [2.0, -2.0]


def test_kto_judges_each_answer_alone():
    chosen, rejected, *references = normal(4, 5)
    kl = torch.tensor(0.7)
    together = kto_losses(chosen, rejected, *references, kl, 0.3)
    by_hand = [
        (
            2
            - 1 / (1 + math.exp(-0.3 * (good - good_known - 0.7)))
            - 1 / (1 + math.exp(-0.3 * (0.7 - bad + bad_known)))
        )
        / 2
        for good, bad, good_known, bad_known in zip(
            *(one.tolist() for one in (chosen, rejected, *references)), strict=True
        )
    ]
    torch.testing.assert_close(together, torch.tensor(by_hand))
    shuffled = kto_losses(
        chosen, rejected.flip(0), references[0], references[1].flip(0), kl, 0.3
    )
    torch.testing.assert_close(together.mean(), shuffled.mean())


def test_kto_takes_a_negative_estimate_of_the_divergence_for_zero():
    numbers = normal(4, 5)
    found = kto_losses(*numbers, torch.tensor(-2.0), 0.3)
    assert torch.equal(found, kto_losses(*numbers, torch.tensor(0.0), 0.3))


def test_simpo_is_ln_2_at_its_margin():
    found = simpo_losses(torch.tensor([-0.5]), torch.tensor([-1.0]), 2.0, 1.0)
    assert found.item() == pytest.approx(math.log(2))


def test_orpo_weight_zero_is_fine_tuning_on_the_chosen_answer():
    chosen, rejected = -normal(2, 5).abs() - 0.1
    assert torch.equal(orpo_losses(chosen, rejected, 0), -chosen)


def test_orpo_adds_the_log_odds_ratio():
    found = orpo_losses(torch.tensor([0.8]).log(), torch.tensor([0.5]).log(), 0.25)
    # odds of 4 and 1
    assert found.item() == pytest.approx(-math.log(0.8) + 0.25 * math.log(1.25))
