"""The book's attention is torch's: the fused function, the multi-head module, and both their gradients."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from genai_tutorial.transformer import MultiHeadAttention, attention, causal_mask

sizes = st.integers(1, 6)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@given(sizes, sizes, st.integers(1, 12), st.integers(1, 12), st.sampled_from([1, 3, 8]), st.booleans(), sizes)
@settings(max_examples=50, deadline=None)
def test_scaled_dot_product_attention_and_gradients(batch, heads, queries, keys, dim, masked, seed):
    inputs = [
        random(batch, heads, length, dim, seed=seed + i).requires_grad_()
        for i, length in enumerate((queries, keys, keys))
    ]
    mask = None
    if masked:
        mask = torch.rand(queries, keys, generator=torch.Generator().manual_seed(seed)) < 0.6
        mask[:, -1] = True
    ours = attention(*inputs, mask)
    theirs = functional.scaled_dot_product_attention(*inputs, attn_mask=mask)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    direction = random(*ours.shape, seed=99)
    for mine, torchs in zip(
        torch.autograd.grad(ours, inputs, direction), torch.autograd.grad(theirs, inputs, direction), strict=True
    ):
        torch.testing.assert_close(mine, torchs, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("length", [1, 5, 64])
def test_the_causal_kernel(length):
    query, key, value = (random(2, 3, length, 8, seed=i) for i in range(3))
    ours = attention(query, key, value, causal_mask(length))
    theirs = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("bias", [False, True])
def test_multihead_attention_and_gradients(bias):
    torch.manual_seed(0)
    ours = MultiHeadAttention(24, 4, bias=bias)
    theirs = nn.MultiheadAttention(24, 4, bias=bias, batch_first=True)
    with torch.no_grad():
        for kind in ("weight", "bias") if bias else ("weight",):
            joined = torch.cat([getattr(layer, kind) for layer in (ours.query, ours.key, ours.value)])
            getattr(theirs, f"in_proj_{kind}").copy_(joined)
            getattr(theirs.out_proj, kind).copy_(getattr(ours.output, kind))
    x = random(2, 10, 24)
    our_x, their_x = x.clone().requires_grad_(), x.clone().requires_grad_()
    # Theirs says which keys are hidden, ours which are seen.
    their_output, their_maps = theirs(their_x, their_x, their_x, attn_mask=~causal_mask(10), average_attn_weights=False)
    torch.testing.assert_close(ours(our_x), their_output, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(ours.weights(x), their_maps, atol=1e-5, rtol=1e-5)
    direction = random(2, 10, 24, seed=1)
    ours(our_x).backward(direction)
    their_output.backward(direction)
    torch.testing.assert_close(our_x.grad, their_x.grad, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(ours.output.weight.grad, theirs.out_proj.weight.grad, atol=1e-5, rtol=1e-5)
