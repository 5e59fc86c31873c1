import pytest
import torch

from genai_tutorial.transformer import (
    DecoderConfig,
    DecoderLM,
    DynamicNTKScaling,
    LearnedPositions,
    LinearScaling,
    Llama3Scaling,
    NTKScaling,
    RotaryEmbedding,
    SinusoidalPositions,
    YarnScaling,
    alibi_bias,
    rotary_frequencies,
)
from genai_tutorial.transformer.context import alibi_slopes
from tests.drawn import normal


def rotary_of(head_width, context_length):
    return RotaryEmbedding(rotary_frequencies(head_width, 10_000), context_length)


def test_rotary_rejects_odd_width():
    with pytest.raises(ValueError, match=r"head_width must be even.*got 5"):
        rotary_frequencies(5, 10_000)


def test_rotary_angles_are_not_in_state_dict():
    assert rotary_of(4, 3).state_dict() == {}


def test_learned_positions_accept_explicit_positions():
    positions, rotary = torch.tensor([[4, 0], [2, 2]]), rotary_of(4, 5)
    x, learned = normal(2, 3, 2, 4), LearnedPositions(5, 4)
    torch.nn.init.normal_(learned.weight)
    # the first vector at all five positions
    everywhere = rotary(x[:, :, :1].expand(2, 3, 5, 4))
    turned = rotary(x, rotary.rotation(positions))
    for row in range(2):
        torch.testing.assert_close(
            turned[row, :, 0], everywhere[row, :, positions[row, 0]]
        )
    for layer in (learned, SinusoidalPositions(5, 4)):
        torch.testing.assert_close(
            layer(torch.zeros(2, 2, 4), positions), layer.weight[positions]
        )


# From the paper's text for 8 and 16 heads; for the others from the code that its
# authors published beside it.
SLOPES = {
    1: [2**-8],
    2: [2**-4, 2**-8],
    3: [2**-4, 2**-8, 2**-2],
    8: [2**-1, 2**-2, 2**-3, 2**-4, 2**-5, 2**-6, 2**-7, 2**-8],
    12: [2**-n for n in (1, 2, 3, 4, 5, 6, 7, 8, 0.5, 1.5, 2.5, 3.5)],
    16: [2 ** (-half / 2) for half in range(1, 17)],
}


@pytest.mark.parametrize(("heads", "slopes"), SLOPES.items())
def test_alibi_slopes_match_paper(heads, slopes):
    torch.testing.assert_close(alibi_slopes(heads, None), torch.tensor(slopes))
    bias = alibi_bias(heads, 4)
    assert bias.shape == (heads, 4, 4)
    for query in range(4):
        for key in range(query + 1):
            torch.testing.assert_close(
                bias[:, query, key], -torch.tensor(slopes) * (query - key)
            )


def test_rotary_scaling_with_factor_one_is_identity():
    before = rotary_frequencies(64, 10_000)
    for scaling in (
        LinearScaling(factor=1),
        NTKScaling(factor=1),
        DynamicNTKScaling(length=4096),
        Llama3Scaling(factor=1),
        YarnScaling(factor=1),
    ):
        torch.testing.assert_close(scaling.scale(before, 10_000), before)
        assert scaling.attention_factor == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LinearScaling(float("nan")), "factor must be at least 1.*got nan"),
        (lambda: NTKScaling(0.5), "factor must be at least 1.*got 0.5"),
        (lambda: DynamicNTKScaling(0, 4), "at least 1 token; got 0 and 4"),
        (lambda: DynamicNTKScaling(4, 0), "at least 1 token; got 4 and 0"),
        (lambda: YarnScaling(factor=0.5), "factor must be at least 1.*got 0.5"),
        (lambda: YarnScaling(8, 0), "original_context_length must be at least 1"),
        (lambda: Llama3Scaling(slow_turns=0), "below fast_turns; got .*slow_turns=0"),
        (lambda: Llama3Scaling(slow_turns=40), "below fast_turns; got .*slow_turns=40"),
    ],
)
def test_rotary_scaling_rejects_invalid_settings(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "scaling",
    [NTKScaling(4), DynamicNTKScaling(64, 16)],
    ids=lambda s: type(s).__name__,
)
def test_ntk_scaling_is_accepted_by_the_decoder(scaling):
    config = DecoderConfig.llama(
        9, 8, 16, layers=1, heads=2, key_value_heads=1, feed_forward_width=8,
        rotary_scaling=scaling,
    )  # fmt: skip
    expected = RotaryEmbedding(
        scaling.scale(rotary_frequencies(8, 500_000), 500_000), 8
    ).cosines
    assert torch.equal(DecoderLM(config).rotary.cosines, expected)
