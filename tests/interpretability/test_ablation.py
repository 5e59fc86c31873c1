import pytest
import torch

from genai_tutorial.interpretability import switched_off
from genai_tutorial.transformer import AttentionContext, DecoderConfig, DecoderLM

CONFIG = DecoderConfig.llama(
    11, 8, 12, layers=2, heads=6, key_value_heads=2, feed_forward_width=12
)
IDS = torch.tensor([[1, 5, 2, 8]])


def without(model, heads):
    """The scores of a copy whose output layers do not read these heads."""
    other = DecoderLM(CONFIG)
    other.load_state_dict(model.state_dict())
    for layer, head in heads:
        other.blocks[layer].attention.output.weight.data[:, 2 * head : 2 * head + 2] = 0
    return other(IDS)


@pytest.mark.parametrize(
    "heads", [[(0, 0)], [(1, 5)], [(0, 2), (0, 3), (1, 1)], [(1, 1), (1, 1)]]
)
def test_a_head_that_is_off_is_as_if_not_read(heads):
    model = DecoderLM(CONFIG)
    before = model(IDS)
    with switched_off(model, heads) as same:
        assert same is model
        off = model(IDS)
        cached = model(IDS, AttentionContext.cached(model.make_cache()))
    torch.testing.assert_close(off, without(model, heads))
    torch.testing.assert_close(cached, off, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(off, before, atol=1e-4)
    assert torch.equal(model(IDS), before)  # and on again


def test_all_heads_come_back_after_an_error():
    model = DecoderLM(CONFIG)
    before = model(IDS)
    with (
        pytest.raises(RuntimeError, match="stop"),
        switched_off(model, [(0, 0)]),
        switched_off(model, [(1, 0)]),
    ):
        raise RuntimeError("stop")
    assert torch.equal(model(IDS), before)


def test_off_in_sixteen_bits_too():
    model = DecoderLM(CONFIG).bfloat16()
    with switched_off(model, [(0, 1)]):
        assert model(IDS).dtype == torch.bfloat16


@pytest.mark.parametrize("head", [(2, 0), (0, 6), (-1, 0), (0, -1)])
def test_heads_that_do_not_exist_are_refused(head):
    message = f"layers 0 to 1 of heads 0 to 5 each; got layer {head[0]}, head {head[1]}"
    with (
        pytest.raises(ValueError, match=message),
        switched_off(DecoderLM(CONFIG), [head]),
    ):
        pass
