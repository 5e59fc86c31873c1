import pytest
import torch
from torch.nn import functional

from genai_tutorial.transformer import (
    AttentionConfig,
    DecoderConfig,
    DecoderLM,
    NormConfig,
    RMSNorm,
    activate,
)
from tests.drawn import normal


def test_gelu_is_x_times_normal_cdf():
    x = torch.linspace(-4, 4, 33, dtype=torch.float64)
    torch.testing.assert_close(
        activate(x, "gelu"), x * torch.distributions.Normal(0.0, 1.0).cdf(x)
    )


def test_rms_norm_of_bfloat16_computes_in_float32():
    x = (
        300 * normal(4, 64)
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
