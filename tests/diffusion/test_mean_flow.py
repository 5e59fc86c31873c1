"""MeanFlow, on one straight line and on a distribution whose flow is a formula."""

import pytest
import torch

from genai_tutorial.diffusion import mean_flow, mean_flow_loss


def seeded():
    return torch.Generator().manual_seed(0)


def to_one_point(x, r, t):
    """The average velocity if all data are zero: x_t = t noise, so v = x / t = u."""
    return x / t.view(-1, 1)


def normal_flow(x, r, t):
    """The average velocity for standard normal data, whose flow is
    x_t = x_0 sqrt((1 - t)^2 + t^2).
    """
    now, then = (((1 - s) ** 2 + s**2).sqrt().view(-1, 1) for s in (t, r))
    return x * (1 - then / now) / (t - r).view(-1, 1)


def test_mean_flow_loss_is_zero_for_lines_that_never_cross():
    """All lines end at one point, so the pair's velocity is the flow's."""
    loss = mean_flow_loss(to_one_point, torch.zeros(500, 2).double(), seeded())
    assert loss < 1e-20


def test_mean_flow_loss_minimum_is_average_velocity():
    """Scaling the true average velocity of a curved flow up or down raises the loss, by
    equal amounts, because the gradient is zero there.
    """
    x0 = torch.randn(200_000, 2, generator=seeded()).double()
    inside = 1e-4  # of the formula, which divides by t - r

    def loss(scale):
        def model(x, r, t):
            return scale * normal_flow(x, r - inside * (r == t), t)

        return mean_flow_loss(model, x0, seeded()).item()

    less, least, more = (loss(scale) for scale in (0.8, 1.0, 1.2))
    assert least < min(less, more)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_mean_flow_steps_are_exact_for_average_velocity(steps):
    x = torch.randn(20, 2, generator=seeded()).double()
    torch.testing.assert_close(mean_flow(normal_flow, x, steps), x)


def test_mean_flow_loss_has_no_gradient_through_target():
    """With u = w for all x, the gradient by w is that of a plain regression."""
    w = torch.ones(2, dtype=torch.float64, requires_grad=True)
    x0 = torch.randn(50, 2, generator=seeded()).double()

    def model(x, r, t):
        return w * t[:, None] + 0 * x

    mean_flow_loss(model, x0, seeded()).backward()
    generator = seeded()
    times = [torch.rand(50, generator=generator) for _ in range(3)]
    t = torch.maximum(*times[:2]).double()
    r = torch.minimum(*times[:2]).double()
    length = torch.where(times[2] < 0.25, t - r, 0.0)[:, None]
    velocity = torch.randn(50, 2, generator=generator, dtype=torch.float64) - x0
    target = velocity - length * w.detach()
    expected = (2 * (w * t[:, None] - target) * t[:, None]).sum(dim=0) / 100
    torch.testing.assert_close(w.grad, expected.detach())


def test_mean_flow_needs_a_step():
    with pytest.raises(ValueError, match="steps must be at least 1"):
        mean_flow(normal_flow, torch.zeros(1, 2), 0)
