"""The layer with a memory of fixed size, inside a decoder and with a cache."""

import jaxtyping
import pytest
import torch

from genai_tutorial.transformer import (
    AttentionContext,
    DecoderConfig,
    DecoderLM,
    FixedMemory,
    MultiHeadAttention,
    recurrent_memory,
    replace_attention,
)
from tests.drawn import integers, stirred

CONFIG = DecoderConfig.fast(13, 24, 16, 2, 2)
KINDS = ["add", "decay", "delta", "gated delta"]


def make_model(*kinds, **settings):
    model = replace_attention(DecoderLM(CONFIG, seed=0), kinds, 0, **settings)
    return stirred(model, 1, 0.2).eval()


@pytest.mark.parametrize("kind", KINDS)
def test_layer_reads_what_the_loop_reads(kind):
    layer = FixedMemory(8, 2, kind, key_width=3)
    layer.initialize(torch.Generator().manual_seed(0))
    stirred(layer, 1, 0.3)
    x = torch.randn(2, 70, 8, generator=torch.Generator().manual_seed(2))
    split = [
        torch.nn.functional.silu(part(x)).unflatten(-1, (2, -1)).transpose(1, 2)
        for part in (layer.query, layer.key, layer.value)
    ]
    query, key = (part / part.norm(dim=-1, keepdim=True) for part in split[:2])
    read, _ = recurrent_memory(query, key, split[2], *layer.gates(x))
    expected = layer.output(layer.norm(read).transpose(1, 2).flatten(2))
    torch.testing.assert_close(layer(x), expected, rtol=1e-4, atol=1e-5)


def test_gates_of_the_kinds():
    x = torch.zeros(1, 1, 8)
    for kind in KINDS:
        layer = FixedMemory(8, 2, kind, largest_beta=2.0)
        layer.initialize(torch.Generator().manual_seed(0))
        log_decay, beta = layer.gates(x)
        assert (log_decay is not None) == (kind in ("decay", "gated delta"))
        assert (beta is not None) == ("delta" in kind)
        if beta is not None:
            assert beta.flatten().tolist() == [1.0, 1.0]
        if log_decay is not None:
            assert log_decay.exp().flatten().tolist() == pytest.approx(
                [0.982] * 2, abs=1e-3
            )


@pytest.mark.parametrize("kinds", [("gated delta", "softmax"), ("decay", "delta")])
def test_cache_gives_the_logits_of_the_whole_text(kinds):
    model, ids = make_model(*kinds), integers(13, 3, 9)
    whole, cache = model(ids), model.make_cache(3)
    parts = [model(ids[:, a:b], cache.context()) for a, b in ((0, 4), (4, 5), (5, 9))]
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, rtol=1e-4, atol=1e-5)


def test_padding_writes_nothing_into_the_state():
    model, ids = make_model("gated delta", "delta"), integers(13, 2, 6)
    cache = model.make_cache(2)
    model(ids, cache.context([6, 3]))
    following = integers(13, 2, 2, seed=1)
    logits = model(following, cache.context())
    alone = model(torch.cat([ids[1:, :3], following[1:]], dim=1))
    torch.testing.assert_close(logits[1:], alone[:, 3:], rtol=1e-4, atol=1e-5)


def test_selected_rows_keep_their_states():
    model, ids = make_model("delta", "gated delta"), integers(13, 2, 5)
    cache = model.make_cache(2)
    model(ids, cache.context())
    cache.select([1, 1, 0])
    following = integers(13, 3, 1, seed=1)
    found = model(following, cache.context())
    whole = model(torch.cat([ids[[1, 1, 0]], following], dim=1))[:, -1:]
    torch.testing.assert_close(found, whole, rtol=1e-4, atol=1e-5)


def test_state_cannot_go_back_to_a_prefix():
    model, ids = make_model("delta", "delta"), integers(13, 1, 5)
    cache = model.make_cache()
    model(ids, cache.context())
    with pytest.raises(ValueError, match="cannot go back: earlier keys, states"):
        cache.rewind(3)
    cache.keep(ids[:, :4])
    assert cache.lengths == [0], "everything is read again"


def test_mask_is_refused():
    model = make_model("softmax", "add")
    context = AttentionContext.packed(torch.tensor([[0, 0, 1]]))
    with pytest.raises(ValueError, match="takes no mask"):
        model(integers(13, 1, 3), context)


def test_replace_attention_keeps_softmax_and_draws_by_seed():
    models = [
        replace_attention(DecoderLM(CONFIG, seed=0), ("softmax", "delta"), seed)
        for seed in (0, 0, 1)
    ]
    kept, replaced = (block.attention for block in models[0].blocks)
    assert isinstance(kept, MultiHeadAttention)
    assert replaced.heads == 2
    drawn = [model.blocks[1].attention.key.weight for model in models]
    assert drawn[0].equal(drawn[1])
    assert not drawn[0].equal(drawn[2])


def test_settings_are_checked():
    with pytest.raises(ValueError, match="heads must divide width"):
        FixedMemory(8, 3)
    with pytest.raises((ValueError, jaxtyping.TypeCheckError), match="kind"):
        FixedMemory(8, 2, "softmax")
    with pytest.raises(ValueError, match="one memory per block"):
        replace_attention(DecoderLM(CONFIG, seed=0), ("add",), 0)
