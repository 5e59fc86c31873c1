"""The book's attention equals PyTorch's: the fused function, the multi-head module, and
gradients of both.
"""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from genai_tutorial import transformer
from genai_tutorial.transformer import attention, causal_mask, fused_attention
from tests.drawn import normal
from tests.parity.weights import same

sizes = st.integers(1, 6)


def same_with_gradients(ours, theirs, inputs):
    """Compare both outputs, and the gradients of all inputs in a random direction."""
    assert theirs.isfinite().all()
    same(ours, theirs)
    direction = normal(*ours.shape, seed=99)
    found = torch.autograd.grad(ours, inputs, direction)
    expected = torch.autograd.grad(theirs, inputs, direction)
    assert all(gradient.isfinite().all() for gradient in found)
    same(found, expected)


def inputs_of(batch, heads, shared, queries, keys, dim, seed):
    shapes = ((heads, queries), (shared, keys), (shared, keys))
    return [
        normal(batch, *shape, dim, seed=seed + i).requires_grad_()
        for i, shape in enumerate(shapes)
    ]


@st.composite
def cases(draw):
    """Draw inputs of random shapes with a random mask and bias; some rows are fully
    masked, some heads share their keys.
    """
    batch, shared, group = draw(sizes), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    queries, keys = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    seed, heads = draw(st.integers(0, 10_000)), shared * group
    dim = draw(st.sampled_from([1, 3, 8]))
    inputs = inputs_of(batch, heads, shared, queries, keys, dim, seed)
    generator = torch.Generator().manual_seed(seed)
    leading = draw(st.sampled_from([(), (batch, 1), (batch, heads)]))
    shape = (*leading, queries, keys)
    mask = (
        torch.rand(shape, generator=generator) < draw(st.sampled_from([0.0, 0.3, 0.9]))
        if draw(st.booleans())
        else None
    )
    bias = torch.randn(shape, generator=generator) if draw(st.booleans()) else None
    return inputs, mask, bias


def torchs(inputs, mask, bias):
    query, key, value = inputs
    if bias is not None:
        mask = bias if mask is None else bias.masked_fill(~mask, -torch.inf)
    groups = query.shape[1] // key.shape[1]
    key, value = (x.repeat_interleave(groups, dim=1) for x in (key, value))
    return functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)


@given(cases())
@settings(max_examples=60)
def test_attention_equals_sdpa_with_gradients(case):
    inputs, mask, bias = case
    same_with_gradients(attention(*inputs, mask, bias), torchs(*case), inputs)


@given(cases())
@settings(max_examples=60)
def test_fused_attention_equals_attention(case):
    inputs, mask, bias = case
    same_with_gradients(
        fused_attention(*inputs, mask, bias), attention(*inputs, mask, bias), inputs
    )


@pytest.mark.parametrize("shared", [1, 3])
def test_fully_masked_rows_give_zeros_and_finite_gradients(shared):
    inputs = inputs_of(2, 3, shared, 4, 5, 8, seed=0)
    mask = torch.ones(4, 5, dtype=torch.bool)
    mask[2] = False
    for function in (attention, fused_attention):
        output = function(*inputs, mask)
        assert (output[:, :, 2] == 0).all()
        assert (output[:, :, [0, 1, 3]] != 0).any(dim=-1).all()
        gradients = torch.autograd.grad(output.sum(), inputs)
        assert all(gradient.isfinite().all() for gradient in gradients)
        assert (gradients[0][:, :, 2] == 0).all()


@pytest.mark.parametrize("length", [1, 5, 64])
def test_fused_attention_is_causal(length):
    inputs = inputs_of(2, 6, 2, length, length, 8, seed=0)
    expected = attention(*inputs, causal_mask(length))
    same_with_gradients(fused_attention(*inputs, is_causal=True), expected, inputs)


def pair(bias, source_width=None, causal=True):
    """Return our layer and PyTorch's with the same weights."""
    torch.manual_seed(0)
    options = {"bias": bias, "source_width": source_width, "causal": causal}
    ours = transformer.MultiHeadAttention(24, 4, **options)
    theirs = nn.MultiheadAttention(
        24, 4, bias=bias, batch_first=True, kdim=source_width, vdim=source_width
    )
    layers = (ours.query, ours.key, ours.value)
    with torch.no_grad():
        # one matrix where all three widths are the same
        if theirs.in_proj_weight is not None:
            theirs.in_proj_weight.copy_(torch.cat([layer.weight for layer in layers]))
        else:
            for name, layer in zip("qkv", layers, strict=True):
                getattr(theirs, f"{name}_proj_weight").copy_(layer.weight)
        if bias:
            theirs.in_proj_bias.copy_(torch.cat([layer.bias for layer in layers]))
            theirs.out_proj.bias.copy_(ours.output.bias)
        theirs.out_proj.weight.copy_(ours.output.weight)
    return ours, theirs


@pytest.mark.parametrize("bias", [False, True])
def test_multi_head_attention_equals_torch_with_gradients(bias):
    ours, theirs = pair(bias)
    x = normal(2, 10, 24).requires_grad_()
    # Theirs says which keys are hidden, ours which are seen.
    output, maps = theirs(
        x, x, x, attn_mask=~causal_mask(10), average_attn_weights=False
    )
    same(ours.weights(x), maps)
    same_with_gradients(ours(x), output, [x])
    direction = normal(2, 10, 24, seed=1)
    ours(x).backward(direction)
    output, _ = theirs(x, x, x, attn_mask=~causal_mask(10))
    output.backward(direction)
    same(ours.output.weight.grad, theirs.out_proj.weight.grad)
    joined = torch.cat(
        [layer.weight.grad for layer in (ours.query, ours.key, ours.value)]
    )
    same(joined, theirs.in_proj_weight.grad)


def test_encoder_with_padding_equals_torch():
    ours, theirs = pair(bias=True, causal=False)
    x = normal(3, 6, 24).requires_grad_()
    seen = transformer.padding_mask(torch.tensor([6, 2, 1]), 6)
    output, maps = theirs(
        x, x, x, key_padding_mask=~seen[:, 0, 0], average_attn_weights=False
    )
    context = transformer.AttentionContext(seen)
    same(ours.weights(x, context), maps)
    same_with_gradients(ours(x, context), output, [x])


@given(
    st.integers(1, 3), st.integers(1, 7), st.integers(1, 7),
    st.sampled_from([8, 24, 40]), st.integers(0, 1000),
)  # fmt: skip
@settings(max_examples=25)
def test_cross_attention_equals_torch_with_gradients(
    batch, queries, keys, source_width, seed
):
    ours, theirs = pair(bias=False, source_width=source_width)
    x = normal(batch, queries, 24, seed=seed).requires_grad_()
    source = normal(batch, keys, source_width, seed=seed + 1).requires_grad_()
    lengths = torch.randint(
        1, keys + 1, (batch,), generator=torch.Generator().manual_seed(seed)
    )
    seen = transformer.padding_mask(lengths, keys)
    output, maps = theirs(
        x, source, source, key_padding_mask=~seen[:, 0, 0], average_attn_weights=False
    )
    context = transformer.AttentionContext.padded(lengths, keys)
    same(ours.weights(x, context, source), maps)
    same_with_gradients(ours(x, context, source), output, [x, source])


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("block_size", [16, 64, 1000])
def test_blockwise_attention_equals_pytorchs(block_size, is_causal):
    query = normal(2, 4, 200, 32)
    key, value = normal(2, 2, 200, 32, seed=1), normal(2, 2, 200, 32, seed=2)
    theirs = functional.scaled_dot_product_attention(
        query, key, value, is_causal=is_causal, enable_gqa=True
    )
    ours = transformer.blockwise_attention(query, key, value, block_size, is_causal)
    same(ours, theirs, atol=1e-6)


@pytest.mark.parametrize("is_causal", [False, True])
def test_blockwise_attention_has_pytorchs_gradients(is_causal):
    inputs = inputs_of(1, 2, 1, 12, 12, 8, seed=3)
    theirs = functional.scaled_dot_product_attention(
        *inputs, is_causal=is_causal, enable_gqa=True
    )
    same_with_gradients(
        transformer.blockwise_attention(*inputs, 5, is_causal), theirs, inputs
    )
