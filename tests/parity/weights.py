"""The same random weights for a model of the book and a library's, and comparisons."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from genai_tutorial.pretrained import LAYER_NAMES


@torch.no_grad()
def randomized(module, scale=0.3, seed=0):
    """Draw all weights, so that every layer affects the output."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        parameter.copy_(scale * torch.randn(parameter.shape, generator=generator))
    return module


def both_kinds(names: Mapping[str, str]) -> dict[str, str]:
    """Return the names of the weights and biases of layers."""
    kinds = ("weight", "bias")
    return {f"{a}.{kind}": f"{b}.{kind}" for a, b in names.items() for kind in kinds}


def renamed(theirs, names):
    """Return a library's weights under our names."""
    state = theirs.state_dict()
    return {names[name]: state[name] for name in names if name in state}


def llama_names(layers, theirs="model.", ours="", head="lm_head.weight"):
    """Return the names in a library's Llama and, for each, ours."""
    found = {
        f"{theirs}embed_tokens.weight": f"{ours}token_embedding.weight",
        f"{theirs}norm.weight": f"{ours}final_norm.weight",
    }
    if head:
        found[head] = f"{ours}head.weight"
    return found | {
        f"{theirs}layers.{i}.{a}.weight": f"{ours}blocks.{i}.{b}.weight"
        for i in range(layers)
        for a, b in LAYER_NAMES.items()
    }


def llama_settings(config):
    """Return the settings of a library's Llama that say what ours do."""
    return {
        "vocab_size": config.vocab_size, "hidden_size": config.width,
        "num_hidden_layers": config.layers, "intermediate_size": config.hidden_width,
        "num_attention_heads": config.attention.heads,
        "num_key_value_heads": config.attention.key_value_heads,
        "max_position_embeddings": config.context_length,
        "rms_norm_eps": config.norm.epsilon,
        "rope_theta": float(config.attention.rotary_base),
        "tie_word_embeddings": config.tied_embeddings,
    }  # fmt: skip


CLIP_LAYER = both_kinds({
    "self_attn.q_proj": "attention.query", "self_attn.k_proj": "attention.key",
    "self_attn.v_proj": "attention.value", "self_attn.out_proj": "attention.output",
    "layer_norm1": "attention_norm", "layer_norm2": "feed_forward_norm",
    "mlp.fc1": "feed_forward.widen", "mlp.fc2": "feed_forward.output",
})  # fmt: skip


def clip_layers(layers, theirs, ours):
    """Return the names in the blocks of a library's CLIP and, for each, ours."""
    return {
        f"{theirs}.encoder.layers.{i}.{a}": f"{ours}.encoder.{i}.{b}"
        for i in range(layers)
        for a, b in CLIP_LAYER.items()
    }


def image_encoder_names(layers, theirs):
    tower = {
        "embeddings.class_embedding": "class_token",
        "embeddings.patch_embedding.weight": "patch_embedding.weight",
        "embeddings.position_embedding.weight": "positions.weight",
        **both_kinds({"pre_layrnorm": "first_norm", "post_layernorm": "final_norm"}),
    }
    found = {f"{theirs}.{a}": f"image_encoder.{b}" for a, b in tower.items()}
    return found | clip_layers(layers, theirs, "image_encoder")


def clip_settings(encoder):
    """Return the settings of a library's CLIP for one of its encoders."""
    return {
        "hidden_size": encoder.width, "intermediate_size": encoder.hidden_width,
        "num_hidden_layers": encoder.layers, "num_attention_heads": encoder.heads,
        "hidden_act": "gelu", "attention_dropout": 0.0, "layer_norm_eps": 1e-5,
    }  # fmt: skip


def same(found, expected, atol=1e-5, rtol=1e-5):
    torch.testing.assert_close(found, expected, atol=atol, rtol=rtol)


def gradients(model: nn.Module) -> dict[str, Tensor]:
    return {name: parameter.grad for name, parameter in model.named_parameters()}


def same_entries(found, expected, atol=1e-5, rtol=1e-5):
    """Compare weights or gradients by their names."""
    assert found.keys() == expected.keys()
    for name, value in found.items():
        torch.testing.assert_close(
            value, expected[name], atol=atol, rtol=rtol,
            msg=lambda t, n=name: f"{n}: {t}",
        )  # fmt: skip


def same_gradients(ours, theirs, names, atol=1e-5, rtol=1e-5):
    """Compare the gradients of all weights, whose names are theirs and ours."""
    own, other = gradients(ours), gradients(theirs)
    same_entries(
        {a: own[b] for a, b in names.items()}, {a: other[a] for a in names}, atol, rtol
    )
