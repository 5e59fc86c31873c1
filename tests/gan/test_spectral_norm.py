import pytest
import torch
from torch import nn

from genai_tutorial.gan import PointDiscriminator, power_iteration, spectral_norm


@pytest.mark.parametrize(("rows", "columns"), [(5, 5), (3, 8), (8, 3)])
def test_power_iteration_finds_the_largest_singular_value(rows, columns):
    generator = torch.Generator().manual_seed(rows)
    matrix = torch.randn(rows, columns, generator=generator).double()
    start = torch.randn(columns, generator=generator).double()
    u, v = power_iteration(matrix, start, steps=500)
    largest = torch.linalg.svdvals(matrix)[0]
    torch.testing.assert_close(u @ matrix @ v, largest)
    torch.testing.assert_close(u.norm(), torch.ones(()).double())
    torch.testing.assert_close(v.norm(), torch.ones(()).double())


def test_power_iteration_one_step_by_hand():
    u, v = power_iteration(
        torch.tensor([[3.0, 0.0], [0.0, 4.0]]), torch.tensor([1.0, 1.0])
    )
    torch.testing.assert_close(u, torch.tensor([0.6, 0.8]))
    torch.testing.assert_close(v, torch.tensor([9.0, 16.0]) / (9**2 + 16**2) ** 0.5)


def test_spectral_norm_of_a_layer_becomes_one():
    torch.manual_seed(0)
    layer = nn.Linear(20, 30)
    with torch.no_grad():
        layer.weight.mul_(10)
    spectral_norm(layer)
    for _ in range(200):
        layer(torch.randn(2, 20))
    assert torch.linalg.matrix_norm(layer.weight, 2).item() == pytest.approx(
        1, abs=1e-3
    )


def test_normalized_network_has_no_slope_above_one():
    discriminator = PointDiscriminator(width=32, seed=1)
    for layer in discriminator.net[::2]:
        spectral_norm(layer)
    for _ in range(100):
        discriminator(torch.zeros(1, 2))
    discriminator.eval()
    generator = torch.Generator().manual_seed(0)
    start, end = (
        5 * torch.randn(1000, 2, generator=generator),
        5 * torch.randn(1000, 2, generator=generator),
    )
    steepness = (discriminator(start) - discriminator(end)).abs() / (start - end).norm(
        dim=1
    )
    assert steepness.max() < 1.02
    plain = PointDiscriminator(width=32, seed=1)
    assert (
        (plain(start) - plain(end)).abs() / (start - end).norm(dim=1)
    ).max() > 1.02  # the check can fail


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
    (
        layer(torch.randn(8, 4)).mean() - layer(torch.randn(8, 4)).mean()
    ).backward()  # as in each discriminator step
    assert layer.parametrizations.weight.original.grad.isfinite().all()


def test_spectral_norm_depends_on_the_weights_only():
    first, second = nn.Linear(4, 4), nn.Linear(4, 4)
    second.load_state_dict(first.state_dict())
    torch.manual_seed(123)  # the global seed must not matter
    assert torch.equal(spectral_norm(first).weight, spectral_norm(second).weight)


def test_spectral_norm_of_unsuitable_layers_raises_value_error():
    with pytest.raises(ValueError, match="ReLU has none"):
        spectral_norm(nn.ReLU())
    with pytest.raises(ValueError, match=r"got a weight of shape \(4,\)"):
        spectral_norm(nn.LayerNorm(4))
    with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
        power_iteration(torch.eye(2), torch.ones(2), steps=0)
