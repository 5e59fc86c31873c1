"""Latent attention, learned sinks and the biased router equal transformers' DeepSeek-V3
and gpt-oss.
"""

import pytest
import torch

from genai_tutorial.transformer import (
    AttentionContext,
    BiasedRouter,
    KVCache,
    MultiHeadLatentAttention,
    RotaryEmbedding,
    SinkAttention,
    rotary_frequencies,
)
from tests.drawn import normal
from tests.parity.weights import randomized

pytest.importorskip("transformers")

LENGTH = 12


def angles(rotary):
    """Return cosines and sines as the library takes them: without signs."""
    cosines, sines = rotary.cosines[:LENGTH], rotary.sines[:LENGTH]
    half = cosines.shape[-1] // 2
    return cosines[None], torch.cat((sines[:, half:],) * 2, dim=-1)[None]


def above_diagonal():
    return torch.full((LENGTH, LENGTH), -torch.inf).triu(1)[None, None]


@torch.no_grad()
@pytest.mark.parametrize("version", ["deepseek_v2", "deepseek_v3"])
def test_latent_attention_of_deepseek(version):
    import importlib

    import transformers

    library = importlib.import_module(
        f"transformers.models.{version}.modeling_{version}"
    )
    name = "Deepseek" + version[-2:].upper()
    sizes = {
        "hidden_size": 32, "num_attention_heads": 4, "num_key_value_heads": 4,
        "kv_lora_rank": 10, "q_lora_rank": None, "qk_rope_head_dim": 6,
        "qk_nope_head_dim": 8, "v_head_dim": 8, "attn_implementation": "eager",
    }  # fmt: skip
    if version == "deepseek_v3":
        sizes["rope_interleave"] = False
    config = getattr(transformers, f"{name}Config")(**sizes)
    theirs = randomized(getattr(library, f"{name}Attention")(config, 0))
    rotary = RotaryEmbedding(rotary_frequencies(6, 10_000), LENGTH)
    ours = MultiHeadLatentAttention(32, 4, 10, rotary)
    ours.query.weight.copy_(theirs.q_proj.weight)
    down, shared = theirs.kv_a_proj_with_mqa.weight.split([10, 6])
    ours.down.weight.copy_(down)
    ours.shared_key.weight.copy_(shared)
    ours.norm.weight.copy_(theirs.kv_a_layernorm.weight)
    ours.norm.epsilon = theirs.kv_a_layernorm.variance_epsilon
    key, value = theirs.kv_b_proj.weight.unflatten(0, (4, 16)).split([8, 8], dim=1)
    ours.up_key.weight.copy_(key.flatten(0, 1))
    ours.up_value.weight.copy_(value.flatten(0, 1))
    ours.output.weight.copy_(theirs.o_proj.weight)
    x = normal(2, LENGTH, 32)
    place = angles(rotary)
    if version == "deepseek_v2":  # it rotates neighbouring features
        pairs = torch.arange(6).view(3, 2).T.flatten()
        own = ours.query.weight.unflatten(0, (4, 14))
        own[:, 8:] = own[:, 8:][:, pairs]
        ours.shared_key.weight.copy_(ours.shared_key.weight[pairs])
        place = torch.polar(torch.ones(LENGTH, 3), place_angles(rotary))[None]
    expected = theirs(
        hidden_states=x, position_embeddings=place, attention_mask=above_diagonal()
    )[0]
    assert expected.abs().max() > 1e-2, "an output of zeros would pass"
    torch.testing.assert_close(ours(x), expected, rtol=1e-4, atol=1e-5)

    cache = KVCache(1, 2, 1, LENGTH, 16)
    cache.values = cache.values[..., :0].clone()
    context = AttentionContext.cached(cache)
    with context.reading(torch.zeros(2, LENGTH, dtype=torch.long)):
        absorbed = ours(x, context)
    torch.testing.assert_close(absorbed, expected, rtol=1e-4, atol=1e-5)


def place_angles(rotary):
    return torch.outer(torch.arange(LENGTH), rotary_frequencies(6, 10_000)).float()


@torch.no_grad()
@pytest.mark.parametrize("window", [None, 4])
def test_sinks_of_gpt_oss(window):
    from transformers import GptOssConfig
    from transformers.models.gpt_oss.modeling_gpt_oss import GptOssAttention

    config = GptOssConfig(
        hidden_size=32, head_dim=8, num_attention_heads=4, num_key_value_heads=4,
        num_hidden_layers=1, layer_types=["full_attention"], attention_bias=False,
        attn_implementation="eager",
    )  # fmt: skip
    theirs = randomized(GptOssAttention(config, 0))
    rotary = RotaryEmbedding(rotary_frequencies(8, 10_000), LENGTH)
    ours = SinkAttention(32, 4, rotary=rotary, window=window)
    for own, name in (
        (ours.query, "q_proj"), (ours.key, "k_proj"),
        (ours.value, "v_proj"), (ours.output, "o_proj"),
    ):  # fmt: skip
        own.weight.copy_(getattr(theirs, name).weight)
    ours.sinks.copy_(theirs.sinks)
    x, mask = normal(2, LENGTH, 32), above_diagonal()
    if window is not None:
        mask = mask + torch.full((LENGTH, LENGTH), -torch.inf).tril(-window)
    cosines, sines = (part[..., :4] for part in angles(rotary))
    expected, weights = theirs(x, (cosines, sines), mask)
    assert expected.abs().max() > 1e-2, "an output of zeros would pass"
    torch.testing.assert_close(ours(x), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ours.weights(x), weights, rtol=1e-4, atol=1e-6)


@torch.no_grad()
def test_biased_router_of_deepseek_v3():
    from transformers import DeepseekV3Config
    from transformers.models.deepseek_v3.modeling_deepseek_v3 import (
        DeepseekV3TopkRouter,
    )

    config = DeepseekV3Config(
        hidden_size=16, n_routed_experts=8, num_experts_per_tok=3, n_group=1,
        topk_group=1, norm_topk_prob=True, routed_scaling_factor=1.0,
    )  # fmt: skip
    theirs = DeepseekV3TopkRouter(config)
    theirs.weight.copy_(normal(8, 16))
    ours = BiasedRouter(16, 8, 3)
    ours.scores.weight.copy_(theirs.weight)
    tokens = normal(200, 16, seed=1)
    unbiased = ours(tokens).chosen.sort(dim=1).values
    for bias in (torch.zeros(8), 0.3 * normal(8, seed=2)):
        theirs.e_score_correction_bias.copy_(bias)
        ours.bias.copy_(bias)
        logits, weights, chosen = theirs(tokens)
        routing = ours(tokens)
        assert (routing.chosen.sort(1).values == chosen.sort(1).values).all()
        torch.testing.assert_close(routing.logits, logits)
        ordered, places = chosen.sort(dim=1)
        own = routing.weights.gather(1, routing.chosen.argsort(dim=1))
        torch.testing.assert_close(own, weights.gather(1, places))
    assert (ordered != unbiased).any(dim=1).float().mean() > 0.2
