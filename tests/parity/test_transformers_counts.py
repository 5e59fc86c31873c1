"""The counter agrees with transformers' models, built on the meta device without memory
for weights.
"""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from genai_tutorial.efficiency import count
from genai_tutorial.efficiency import model_sizes as public

transformers = pytest.importorskip("transformers")

LLAMA = {
    "vocab_size": 128_256,
    "num_key_value_heads": 8,
    "max_position_embeddings": 131_072,
}
# The settings as their makers' files on the hub give them, typed in, so that nothing is
# fetched.
CONFIGS = {
    "GPT2_SMALL": transformers.GPT2Config(),
    "GPT2_MEDIUM": transformers.GPT2Config(n_embd=1024, n_layer=24, n_head=16),
    "GPT2_LARGE": transformers.GPT2Config(n_embd=1280, n_layer=36, n_head=20),
    "GPT2_XL": transformers.GPT2Config(n_embd=1600, n_layer=48, n_head=25),
    "LLAMA_3_1_8B": transformers.LlamaConfig(
        **LLAMA, hidden_size=4096, num_hidden_layers=32, num_attention_heads=32,
        intermediate_size=14_336,
    ),
    "LLAMA_3_1_70B": transformers.LlamaConfig(
        **LLAMA, hidden_size=8192, num_hidden_layers=80, num_attention_heads=64,
        intermediate_size=28_672,
    ),
    "LLAMA_3_1_405B": transformers.LlamaConfig(
        **LLAMA, hidden_size=16_384, num_hidden_layers=126, num_attention_heads=128,
        intermediate_size=53_248,
    ),
    "MIXTRAL_8X7B": transformers.MixtralConfig(
        vocab_size=32_000, hidden_size=4096, num_hidden_layers=32,
        num_attention_heads=32, num_key_value_heads=8, intermediate_size=14_336,
        num_local_experts=8, num_experts_per_tok=2,
    ),
    "DEEPSEEK_V3": transformers.DeepseekV3Config(
        vocab_size=129_280, hidden_size=7168, num_hidden_layers=61,
        num_attention_heads=128, num_key_value_heads=128, q_lora_rank=1536,
        kv_lora_rank=512, qk_nope_head_dim=128, qk_rope_head_dim=64, v_head_dim=128,
        intermediate_size=18_432, moe_intermediate_size=2048, n_routed_experts=256,
        n_shared_experts=1, num_experts_per_tok=8, first_k_dense_replace=3,
    ),
    "SMOLLM2_135M": transformers.LlamaConfig(
        vocab_size=49_152, hidden_size=576, num_hidden_layers=30, num_attention_heads=9,
        num_key_value_heads=3, intermediate_size=1536, tie_word_embeddings=True,
    ),
}  # fmt: skip


def on_meta(name):
    with torch.device("meta"):
        return transformers.AutoModelForCausalLM.from_config(
            CONFIGS[name], attn_implementation="eager"
        )


def test_counts_cover_every_public_model():
    assert {name for name in vars(public) if name.isupper()} == CONFIGS.keys()


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_parameter_counts_are_equal(name):
    theirs = sum(parameter.numel() for parameter in on_meta(name).parameters())
    assert count(getattr(public, name)).parameters == theirs


@pytest.mark.parametrize("name", ["MIXTRAL_8X7B", "DEEPSEEK_V3"])
def test_active_parameter_counts_are_equal(name):
    config, shape = CONFIGS[name], getattr(public, name)
    parameters = dict(on_meta(name).named_parameters())
    routed = sum(
        p.numel()
        for key, p in parameters.items()
        if key.split(".")[-2:-1] == ["experts"]
    )
    resting = routed * (1 - config.num_experts_per_tok / config.num_local_experts)
    assert (
        count(shape).active_parameters
        == sum(p.numel() for p in parameters.values()) - resting
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [name for name in CONFIGS if name not in ("MIXTRAL_8X7B", "DEEPSEEK_V3")]
)
def test_flop_counts_are_equal(name):
    """Compare dense models; routing depends on values, which the meta device lacks."""
    length, counts = 16, count(getattr(public, name))
    model = on_meta(name)
    ids, mask = (
        torch.zeros(1, length, dtype=torch.long),
        torch.zeros(1, 1, length, length),
    )
    with FlopCounterMode(display=False) as counter:
        # A ready mask, because they would look at numbers to make one.
        model(ids.to("meta"), attention_mask=mask.to("meta"), use_cache=False)
    # Eager attention multiplies every token with the whole text before it hides the
    # future.
    assert counter.get_total_flops() == length * (
        counts.flops_per_token + counts.attention_flops(length)
    )
