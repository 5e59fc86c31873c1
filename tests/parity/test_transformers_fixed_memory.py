"""The memory of fixed size equals transformers' reference code: the gated delta rule
and the whole layer of Qwen3-Next, and Mamba-2's scan.
"""

import pytest
import torch
from torch.nn import functional

from genai_tutorial.transformer import chunked_memory, recurrent_memory

pytest.importorskip("transformers")


def drawn(length=100, key_width=16):
    generator = torch.Generator().manual_seed(0)
    query, key = functional.normalize(
        torch.randn(2, 2, 3, length, key_width, generator=generator), dim=-1
    )
    value = torch.randn(2, 3, length, 24, generator=generator)
    log_decay = -0.3 * torch.rand(2, 3, length, generator=generator)
    return query, key, value, log_decay, torch.rand(2, 3, length, generator=generator)


def by_position(*tensors):
    """Swap heads and positions: the library's order is (batch, position, head, ...)."""
    return [tensor.transpose(1, 2) for tensor in tensors]


@pytest.mark.parametrize("form", ["recurrent", "chunk"])
def test_gated_delta_rule_of_qwen3_next(form):
    from transformers.models.qwen3_next import modeling_qwen3_next as library

    query, *rest = drawn()
    theirs = getattr(library, f"torch_{form}_gated_delta_rule")
    # The library divides queries by the root of their width.
    read, state = theirs(
        *by_position(query * query.shape[-1] ** 0.5, *rest), output_final_state=True
    )
    for ours in (recurrent_memory, chunked_memory):
        own_read, own_state = ours(query, *rest)
        torch.testing.assert_close(own_read, read.transpose(1, 2), rtol=0, atol=3e-6)
        torch.testing.assert_close(own_state, state, rtol=0, atol=3e-6)


def test_mamba2_scan_is_adding_with_decay():
    from transformers.models.mamba2.modeling_mamba2 import mamba2_chunk_scan

    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 50, 3, 8, generator=generator)
    step = functional.softplus(torch.randn(2, 50, 3, generator=generator))
    rate = -torch.rand(3, generator=generator)
    b, c = torch.randn(2, 2, 50, 1, 16, generator=generator)
    skip = torch.randn(3, generator=generator)
    theirs, state = mamba2_chunk_scan(
        x, step, rate, b, c, 16, D=skip, return_final_states=True
    )
    key, query = (part.expand(-1, -1, 3, -1) for part in (b, c))
    read, own_state = chunked_memory(
        *by_position(query, key, x * step[..., None], step * rate)
    )
    ours = read.transpose(1, 2) + x * skip[:, None]
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=2e-5)
    torch.testing.assert_close(own_state.transpose(-1, -2), state, rtol=1e-5, atol=2e-5)


@torch.no_grad()
def test_whole_layer_of_qwen3_next():
    from transformers import Qwen3NextConfig
    from transformers.models.qwen3_next.modeling_qwen3_next import (
        Qwen3NextGatedDeltaNet,
    )

    heads, keys, values = 2, 8, 12
    config = Qwen3NextConfig(
        hidden_size=32,
        linear_num_value_heads=heads,
        linear_num_key_heads=heads,
        linear_key_head_dim=keys,
        linear_value_head_dim=values,
        linear_conv_kernel_dim=4,
        num_hidden_layers=4,
    )
    torch.manual_seed(0)
    layer = Qwen3NextGatedDeltaNet(config, 0).eval()
    x = torch.randn(2, 40, 32)
    theirs = layer(x)

    mixed = layer.in_proj_qkvz(x).unflatten(-1, (heads, -1))
    *features, gate = mixed.split([keys, keys, values, values], dim=-1)
    beta, step = layer.in_proj_ba(x).unflatten(-1, (heads, 2)).unbind(-1)
    flat = torch.cat([part.flatten(2) for part in features], dim=-1)
    padded = functional.pad(flat.transpose(1, 2), (3, 0))
    weight = layer.conv1d.weight
    flat = functional.silu(functional.conv1d(padded, weight, groups=len(weight)))
    query, key, value = (
        part.unflatten(-1, (heads, -1)).transpose(1, 2)
        for part in flat.transpose(1, 2).split(
            [heads * keys, heads * keys, heads * values], dim=-1
        )
    )
    query, key = (functional.normalize(part, dim=-1) for part in (query, key))
    log_decay = -layer.A_log.exp() * functional.softplus(step + layer.dt_bias)
    read, _ = chunked_memory(
        query * keys**-0.5, key, value, *by_position(log_decay, beta.sigmoid())
    )
    read = read.transpose(1, 2)
    read = read * (read.square().mean(-1, keepdim=True) + config.rms_norm_eps).rsqrt()
    ours = layer.out_proj((read * layer.norm.weight * functional.silu(gate)).flatten(2))
    assert theirs.abs().max() > 1e-3, "an output of zeros would pass"
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=3e-6)
