import math

import pytest
import torch
from torch import nn

from genai_tutorial.density import langevin, noise_contrastive_loss


def test_noise_contrastive_loss_equals_cross_entropy():
    generator = torch.Generator().manual_seed(0)
    data, noise = torch.randn(2, 20, generator=generator)
    expected = nn.functional.binary_cross_entropy_with_logits(
        torch.stack([data, noise]), torch.tensor([[1.0], [0.0]]).expand(2, 20)
    )
    torch.testing.assert_close(noise_contrastive_loss(data, noise), 2 * expected)


def test_noise_contrastive_loss_finds_the_constant():
    """exp(-x²/2) against a wider normal: the best log Z is log sqrt(2π)."""
    generator = torch.Generator().manual_seed(0)
    data = torch.randn(100_000, generator=generator)
    noise = 2 * torch.randn(100_000, generator=generator)
    log_z = torch.zeros((), requires_grad=True)

    def log_ratio(x):
        log_q = -0.5 * (x / 2).square() - math.log(2 * math.sqrt(2 * math.pi))
        return -0.5 * x.square() - log_z - log_q

    optimizer = torch.optim.LBFGS([log_z], max_iter=50)

    def closure():
        optimizer.zero_grad()
        loss = noise_contrastive_loss(log_ratio(data), log_ratio(noise))
        loss.backward()
        return loss

    optimizer.step(closure)
    assert log_z.item() == pytest.approx(0.5 * math.log(2 * math.pi), abs=0.02)


def half_square(x):
    return 0.5 * x.square().sum(dim=1)


def test_langevin_step_is_gradient_and_noise():
    x = torch.tensor([[2.0, -1.0]])
    moved = langevin(half_square, x, 0.1, 1, torch.Generator().manual_seed(3))
    noise = torch.randn(1, 2, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(moved, 0.9 * x + math.sqrt(0.2) * noise)


def test_langevin_variance_has_the_bias_of_its_step():
    """For a normal distribution the variance is 1 / (1 - step / 2), not 1."""
    x = torch.zeros(40_000, 1)
    drawn = langevin(half_square, x, 0.4, 40, torch.Generator().manual_seed(0))
    assert drawn.var().item() == pytest.approx(1.25, abs=0.03)


def test_langevin_refuses_a_step_that_is_not_positive():
    with pytest.raises(ValueError, match="step must be positive"):
        langevin(half_square, torch.zeros(1, 1), 0.0, 1, torch.Generator())
