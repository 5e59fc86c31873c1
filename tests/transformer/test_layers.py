import pytest
import torch
from torch.nn import functional

from genai_tutorial.transformer import FeedForward, RMSNorm, ShortConvolution
from genai_tutorial.transformer.feed_forward import activate


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_rms_norm_is_torchs():
    x = 5 * random(3, 7, 16) + 2
    norm = RMSNorm(16)
    torch.nn.init.normal_(norm.weight)
    torch.testing.assert_close(norm(x), functional.rms_norm(x, (16,), norm.weight, eps=norm.epsilon))


def test_rms_norm_leaves_zeros_and_forgets_scale():
    norm = RMSNorm(8)
    assert (norm(torch.zeros(2, 8)) == 0).all()
    x = random(2, 8)
    torch.testing.assert_close(norm(1000 * x), norm(x), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(norm(x).square().mean(-1), torch.ones(2), atol=1e-4, rtol=0)


@pytest.mark.parametrize(("activation", "approximate"), [("gelu", "none"), ("gelu_tanh", "tanh")])
def test_gelus_are_torchs(activation, approximate):
    x = torch.linspace(-6, 6, 101)
    torch.testing.assert_close(activate(x, activation), functional.gelu(x, approximate=approximate))


def test_exact_gelu_is_x_times_the_normal_distribution():
    x = torch.linspace(-4, 4, 33, dtype=torch.float64)
    torch.testing.assert_close(activate(x, "gelu"), x * torch.distributions.Normal(0.0, 1.0).cdf(x))


def test_the_two_gelus_differ():
    x = torch.linspace(-4, 4, 33)
    assert 1e-5 < (activate(x, "gelu") - activate(x, "gelu_tanh")).abs().max() < 1e-3


def test_feed_forward_treats_positions_apart():
    torch.manual_seed(0)
    layer = FeedForward(4, 16, "squared_relu", bias=True)
    x = random(2, 3, 4)
    torch.testing.assert_close(layer(x)[:, 1], layer(x[:, 1]))
    assert sum(p.numel() for p in layer.parameters()) == 4 * 16 + 16 + 16 * 4 + 4


@pytest.mark.parametrize("length", [1, 2, 7])
def test_short_convolution_adds_weighted_neighbours(length):
    layer = ShortConvolution(4, 3)
    torch.nn.init.normal_(layer.weight)
    x = random(2, length, 4)
    expected = x.clone()
    for position in range(length):
        for distance in (1, 2, 3):
            if position >= distance:
                expected[:, position] += layer.weight[distance - 1] * x[:, position - distance]
    torch.testing.assert_close(layer(x), expected)


def test_short_convolution_starts_by_changing_nothing():
    x = random(2, 5, 4)
    assert torch.equal(ShortConvolution(4, 2)(x), x)
