import pytest
import torch
from torch.nn import functional

from genai_tutorial.transformer import (
    AttentionConfig,
    DecoderConfig,
    DecoderLM,
    FeedForward,
    NormConfig,
    RMSNorm,
    ShortConvolution,
    activate,
)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_rms_norm_equals_torch():
    x = 5 * random(3, 7, 16) + 2
    norm = RMSNorm(16)
    torch.nn.init.normal_(norm.weight)
    torch.testing.assert_close(
        norm(x), functional.rms_norm(x, (16,), norm.weight, eps=norm.epsilon)
    )


def test_rms_norm_keeps_zeros_and_is_scale_invariant():
    norm = RMSNorm(8)
    assert (norm(torch.zeros(2, 8)) == 0).all()
    x = random(2, 8)
    torch.testing.assert_close(norm(1000 * x), norm(x), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(
        norm(x).square().mean(-1), torch.ones(2), atol=1e-4, rtol=0
    )


@pytest.mark.parametrize(
    ("activation", "approximate"), [("gelu", "none"), ("gelu_tanh", "tanh")]
)
def test_gelu_equals_torch(activation, approximate):
    x = torch.linspace(-6, 6, 101)
    torch.testing.assert_close(
        activate(x, activation), functional.gelu(x, approximate=approximate)
    )


def test_gelu_is_x_times_normal_cdf():
    x = torch.linspace(-4, 4, 33, dtype=torch.float64)
    torch.testing.assert_close(
        activate(x, "gelu"), x * torch.distributions.Normal(0.0, 1.0).cdf(x)
    )


def test_gelu_variants_differ():
    x = torch.linspace(-4, 4, 33)
    assert 1e-5 < (activate(x, "gelu") - activate(x, "gelu_tanh")).abs().max() < 1e-3


def test_feed_forward_is_positionwise():
    torch.manual_seed(0)
    layer = FeedForward(4, 16, "squared_relu", bias=True)
    x = random(2, 3, 4)
    torch.testing.assert_close(layer(x)[:, 1], layer(x[:, 1]))
    assert sum(p.numel() for p in layer.parameters()) == 4 * 16 + 16 + 16 * 4 + 4


@pytest.mark.parametrize("length", [1, 2, 7])
def test_short_convolution_adds_weighted_predecessors(length):
    layer = ShortConvolution(4, 3)
    torch.nn.init.normal_(layer.weight)
    x = random(2, length, 4)
    expected = x.clone()
    for position in range(length):
        for distance in (1, 2, 3):
            if position >= distance:
                expected[:, position] += (
                    layer.weight[distance - 1] * x[:, position - distance]
                )
    torch.testing.assert_close(layer(x), expected)


def test_swiglu_matches_paper():
    torch.manual_seed(0)
    layer = FeedForward(4, 16, "swiglu", bias=True)
    x = random(2, 3, 4)
    gate, wide = layer.gate(x), layer.widen(x)
    torch.testing.assert_close(
        layer(x), layer.output(gate * torch.sigmoid(gate) * wide)
    )
    assert sum(p.numel() for p in layer.parameters()) == 3 * 4 * 16 + 16 + 16 + 4


def test_rms_norm_of_bfloat16_computes_in_float32():
    x = (
        300 * random(4, 64)
    ).bfloat16()  # the mean of squares of such numbers would be off by a percent
    norm = RMSNorm(64).bfloat16()
    assert norm(x).dtype == torch.bfloat16
    exact = functional.rms_norm(x.double(), (64,), eps=norm.epsilon)
    torch.testing.assert_close(norm(x).double(), exact, atol=0, rtol=2**-8)
    # its square is beyond the largest 16-bit float
    half = torch.full((1, 8), 1000.0, dtype=torch.float16)
    torch.testing.assert_close(RMSNorm(8).half()(half), torch.ones_like(half))


@pytest.mark.parametrize("kind", ["layer", "rms"])
def test_norm_epsilon_comes_from_config(kind):
    config = DecoderConfig(
        11,
        width=8,
        layers=1,
        attention=AttentionConfig(heads=2, query_key_norm=True),
        norm=NormConfig(kind, epsilon=0.5),
    )
    norms = [
        norm
        for norm in DecoderLM(config).modules()
        if isinstance(norm, RMSNorm | torch.nn.LayerNorm)
    ]
    epsilons = {
        name: getattr(norm, "epsilon", getattr(norm, "eps", None))
        for name, norm in enumerate(norms)
    }
    # The two blocks' norms and the final one; those of queries and keys keep their own.
    assert sorted(epsilons.values()) == [1e-6, 1e-6, 0.5, 0.5, 0.5]


def test_short_convolution_starts_as_identity():
    x = random(2, 5, 4)
    assert torch.equal(ShortConvolution(4, 2)(x), x)
