import pytest
import torch
from torch import nn

from genai_tutorial.gan import (
    PointDiscriminator,
    gradient_penalty,
    r1_penalty,
    spectral_norm,
    squared_slopes,
)


def test_squared_slopes_equal_finite_differences():
    discriminator = PointDiscriminator(seed=3).double()
    x = torch.randn(6, 2, generator=torch.Generator().manual_seed(0)).double()
    step = 1e-6
    columns = []
    for axis in torch.eye(2).double():
        columns.append(
            (discriminator(x + step * axis) - discriminator(x - step * axis))
            / (2 * step)
        )
    expected = torch.stack(columns, dim=1).square().sum(dim=1)
    torch.testing.assert_close(
        squared_slopes(discriminator, x), expected, rtol=1e-5, atol=1e-8
    )


def test_r1_penalty_by_hand():
    bowl = lambda x: x.square().sum(dim=1)  # noqa: E731  (its gradient is 2x)
    real = torch.tensor([[1.0, 0.0], [0.0, 3.0]])
    assert r1_penalty(bowl, real).item() == pytest.approx((4 + 36) / 2)


def test_r1_penalty_is_differentiable_in_the_weights():
    layer = nn.Linear(2, 1, bias=False)
    discriminator = lambda x: layer(x).squeeze(1)  # noqa: E731
    r1_penalty(discriminator, torch.randn(4, 2)).backward()
    # The penalty is the squared norm of the weight: its gradient is twice the weight.
    torch.testing.assert_close(layer.weight.grad, 2 * layer.weight.detach())


def test_squared_slopes_passes_labels_to_the_discriminator():
    steep_for_ones = lambda x, labels: x[:, 0] * labels  # noqa: E731
    slopes = squared_slopes(
        steep_for_ones, torch.zeros(3, 2), torch.tensor([0.0, 1.0, 2.0])
    )
    assert slopes.tolist() == [0, 1, 4]


def test_gradient_penalty_is_zero_at_slope_one():
    real, fake = torch.zeros(8, 2), torch.ones(8, 2)
    for slope, expected in ((1.0, 0.0), (0.5, 0.25), (3.0, 4.0)):
        plane = lambda x, slope=slope: slope * x[:, 1]  # noqa: E731
        penalty = gradient_penalty(
            plane, real, fake, generator=torch.Generator().manual_seed(0)
        )
        assert penalty.item() == pytest.approx(expected, abs=1e-6)


def test_gradient_penalty_points_lie_between_each_pair():
    seen = []

    def critic(x):
        seen.append(x.detach().clone())
        return x[:, 0]

    real = torch.tensor([[0.0, 5.0], [10.0, 0.0]]).repeat(200, 1)
    fake = torch.tensor([[1.0, 5.0], [10.0, 4.0]]).repeat(200, 1)
    gradient_penalty(critic, real, fake, generator=torch.Generator().manual_seed(0))
    (between,) = seen
    assert (between[::2, 1] == 5).all()
    assert (between[1::2, 0] == 10).all()
    places = torch.cat([between[::2, 0], between[1::2, 1] / 4])
    assert 0 <= places.min() < 0.05
    assert 0.95 < places.max() <= 1
    assert places.mean().item() == pytest.approx(0.5, abs=0.05)


def test_gradient_penalty_of_a_flat_critic_has_a_finite_gradient():
    layer = nn.Linear(2, 1)
    nn.init.zeros_(layer.weight)
    critic, real, fake = (
        lambda x: layer(x).squeeze(1),
        torch.zeros(4, 2),
        torch.ones(4, 2),
    )
    penalty = gradient_penalty(critic, real, fake, generator=torch.Generator())
    penalty.backward()
    assert penalty.item() == pytest.approx(1, abs=1e-4)
    assert layer.weight.grad.isfinite().all()


def test_gradient_penalty_sends_no_gradient_to_the_generator():
    fake = torch.ones(4, 2, requires_grad=True)
    plane = lambda x: (x * x).sum(dim=1)  # noqa: E731
    assert not squared_slopes(plane, fake).isnan().any()
    penalty = gradient_penalty(
        plane, torch.zeros(4, 2), fake, generator=torch.Generator()
    )
    assert torch.autograd.grad(penalty, fake, allow_unused=True) == (None,)


def test_gradient_penalty_of_unequal_shapes_raises_value_error():
    real, fake, generator = torch.zeros(3, 2), torch.zeros(4, 2), torch.Generator()
    with pytest.raises(ValueError, match=r"be equal, got \(3, 2\) and \(4, 2\)"):
        gradient_penalty(lambda x: x[:, 0], real, fake, generator=generator)


def test_normalized_network_has_no_slope_above_one():
    discriminator = PointDiscriminator(width=32, seed=1)
    for layer in discriminator.net[::2]:
        spectral_norm(layer)
    for _ in range(100):
        discriminator(torch.zeros(1, 2))
    discriminator.eval()
    generator = torch.Generator().manual_seed(0)
    start, end = 5 * torch.randn(2, 1000, 2, generator=generator)

    def steepest(model):
        return ((model(start) - model(end)).abs() / (start - end).norm(dim=1)).max()

    assert steepest(discriminator) < 1.02
    assert steepest(PointDiscriminator(width=32, seed=1)) > 1.02  # the check can fail


def test_spectral_norm_vectors_do_not_change_in_evaluation_mode():
    layer = spectral_norm(nn.Linear(6, 6)).eval()
    before = layer.parametrizations.weight[0].v.clone()
    layer(torch.zeros(1, 6))
    assert torch.equal(layer.parametrizations.weight[0].v, before)
    layer.train()
    layer(torch.zeros(1, 6))
    assert not torch.equal(layer.parametrizations.weight[0].v, before)


def test_spectral_norm_allows_two_forward_passes_before_the_backward_pass():
    layer = spectral_norm(nn.Linear(4, 1))
    real, fake = torch.randn(2, 8, 4)  # as in each discriminator step
    (layer(real).mean() - layer(fake).mean()).backward()
    assert layer.parametrizations.weight.original.grad.isfinite().all()


def test_spectral_norm_depends_on_the_weights_only():
    first, second = nn.Linear(4, 4), nn.Linear(4, 4)
    second.load_state_dict(first.state_dict())
    torch.manual_seed(123)  # the global seed must not matter
    assert torch.equal(spectral_norm(first).weight, spectral_norm(second).weight)


def test_spectral_norm_of_unsuitable_layers_raises_value_error():
    for layer in (nn.ReLU(), nn.LayerNorm(4)):
        with pytest.raises(ValueError, match="has none"):
            spectral_norm(layer)
