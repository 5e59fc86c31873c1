import math

import pytest
import torch

from genai_tutorial.gan import (
    WASSERSTEIN,
    logistic_discriminator_loss,
    minimax_generator_loss,
    non_saturating_generator_loss,
    wasserstein_generator_loss,
)
from genai_tutorial.gan.losses import wasserstein_critic_loss


def slope(loss, score):
    scores = torch.tensor([score], requires_grad=True)
    (gradient,) = torch.autograd.grad(loss(scores), scores)
    return gradient.item()


def test_logistic_loss_is_the_cross_entropy_of_real_and_generated():
    real, fake = torch.tensor([0.3, -1.2, 4.0]), torch.tensor([-0.7, 2.5, 0.0])
    expected = -real.sigmoid().log().mean() - (1 - fake.sigmoid()).log().mean()
    torch.testing.assert_close(logistic_discriminator_loss(real, fake), expected)


def test_minimax_losses_are_the_value_of_the_game():
    real, fake = torch.tensor([0.3, -1.2, 4.0]), torch.tensor([-1.0, 0.5, 2.0])
    value = real.sigmoid().log().mean() + (1 - fake.sigmoid()).log().mean()
    torch.testing.assert_close(logistic_discriminator_loss(real, fake), -value)
    # The generator minimizes the part of the value that depends on it.
    torch.testing.assert_close(
        minimax_generator_loss(fake), value - real.sigmoid().log().mean()
    )


@pytest.mark.parametrize("score", [-6.0, -1.0, 0.0, 3.0])
def test_generator_losses_have_the_stated_derivatives(score):
    probability = 1 / (1 + math.exp(-score))
    assert slope(minimax_generator_loss, score) == pytest.approx(-probability, rel=1e-5)
    assert slope(non_saturating_generator_loss, score) == pytest.approx(
        probability - 1, rel=1e-5
    )
    assert slope(wasserstein_generator_loss, score) == -1


def test_losses_of_extreme_scores_do_not_overflow():
    sure = torch.tensor([1000.0])
    assert logistic_discriminator_loss(sure, -sure).item() == 0
    assert non_saturating_generator_loss(-sure).item() == 1000
    assert minimax_generator_loss(sure).item() == -1000


def test_critic_loss_is_the_difference_of_the_means():
    real, fake = torch.tensor([2.0, 4.0]), torch.tensor([1.0, 0.0, 2.0])
    assert wasserstein_critic_loss(real, fake).item() == pytest.approx(-2)
    assert WASSERSTEIN.generator(fake).item() == pytest.approx(-1)


def test_logistic_loss_is_lowest_at_the_log_odds():
    # Three real examples per generated one at the same point: the optimum is log 3.
    sure = torch.tensor([100.0])

    def loss(score):
        score = torch.tensor([score])
        real = logistic_discriminator_loss(score, sure) - 100
        return (3 * real + logistic_discriminator_loss(sure, score)).item()

    scores = [math.log(3) + 0.01 * step for step in range(-100, 101)]
    assert min(scores, key=loss) == pytest.approx(math.log(3), abs=0.011)
